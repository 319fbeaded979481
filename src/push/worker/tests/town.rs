//! A worker at work over a real ledger, and an endpoint that does as the test says, in time that passes only when nothing is left to be
//! done.
//!
//! The runtime's paused clock goes on to the next thing that is due as soon as no task can go on. A task that waits for the ledger's writer,
//! a thread of its own, looks like that, too; so time is held until the writer is done, and let go only for the wait in [`Town::pass`].

use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{ConnectError, Response, Status};

use crate::broker::embedded::EmbeddedBroker;
use crate::delivery::{
    Dispatch, Heads, HotMessages, Links, Notices, Router, Served, Strays, Timers, Windows,
};
use crate::domain::calendar::Calendar;
use crate::domain::delivery::{self, Outcome, State};
use crate::domain::duty::AcknowledgedBy;
use crate::domain::link::{LinkRecord, PushLink, Server};
use crate::domain::message::{Hash, Lane, MessageId};
use crate::domain::organ_id::OrganId;
use crate::domain::push::{Policy, Said};
use crate::domain::time::{Clock, Timestamp};
use crate::ledger::sqlite::{Options, SqliteLedger};
use crate::ledger::{Acceptance, Addressee, DeliveryRecord, Ledger, LinkChange, Message};
use crate::metrics::Metrics;
use crate::proto::v1;
use crate::push::answer::{self, Fault};
use crate::push::{Inbox, Worker, endpoint};

/// How long a call may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// So long deliveries are tried.
const TTL: Duration = Duration::from_secs(86_400 * 365);
/// Looks in a row that find nothing moving, until it is believed.
const STILL: usize = 3;
/// Turns each task that can go on has in one look.
const YIELDS: usize = 64;

/// So little that each wait is within a tenth of the middle of its jitter.
const JITTER: f64 = 0.1;

/// How outages are handled: as it is by default, but for the jitter, and a longest wait that lets the test be short.
pub const POLICY: Policy = Policy {
    retry_delay_min: Duration::from_secs(1),
    retry_delay_max: Duration::from_secs(60),
    retry_jitter: JITTER,
    faults_max: 3,
    wish_max: Duration::from_secs(3_600),
};

/// How single deliveries are tried again.
pub const OF_DELIVERIES: delivery::Policy = delivery::Policy {
    attempts_max: 10,
    retry_delay_min: Duration::from_secs(1),
    retry_delay_max: Duration::from_secs(3_600),
    retry_jitter: JITTER,
    prompt_attempts: 3,
    acknowledged_by: AcknowledgedBy::Delivery,
};

/// What an endpoint does with a call.
pub enum Does {
    /// Takes the delivery, after so long.
    Takes(Duration),
    /// Answers with a status, after so long.
    Fails(Status, Duration),
    /// Never answers.
    Hangs,
    /// Breaks the connection, after so long.
    Resets(Duration),
    /// Cannot be connected to.
    Unmade(Fault),
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Made {
    pub at: Duration,
    pub id: String,
    /// How many were under way then, this one among them.
    pub under_way: usize,
}

/// The n-th call, and the message id of what it brings.
type Script = dyn Fn(usize, &str) -> Does + Send + Sync;

/// The endpoint.
struct Endpoint {
    script: Box<Script>,
    begun: Instant,
    book: Arc<Mutex<(Vec<Made>, usize)>>,
}

impl Inbox for Endpoint {
    fn deliver(&self, delivery: v1::Delivery) -> BoxFuture<'static, Said> {
        let id = delivery.envelope.unwrap().message_id;
        let (book, at) = (Arc::clone(&self.book), self.begun.elapsed());
        let does = {
            let (made, under_way) = &mut *book.lock().unwrap();
            *under_way += 1;
            made.push(Made { at, id: id.clone(), under_way: *under_way });
            (self.script)(made.len() - 1, &id)
        };
        Box::pin(async move {
            let said = endpoint::within(CALL_TIMEOUT, done(does), |status| answer::of(status, None)).await;
            book.lock().unwrap().1 -= 1;
            said.map_or_else(|said| said, Said::Settled)
        })
    }

    fn receipts(&self, _page: v1::PushReceiptsRequest) -> BoxFuture<'static, Said> {
        Box::pin(async { unreachable!("a worker brings no receipts") })
    }

    fn overdue(&self, _notice: v1::NotifyOverdueRequest) -> BoxFuture<'static, Said> {
        Box::pin(async { unreachable!("a worker brings no notices") })
    }
}

async fn done(does: Does) -> Result<Response<Outcome>, Status> {
    match does {
        Does::Takes(after) => {
            tokio::time::sleep(after).await;
            Ok(Response::new(Outcome::Delivered))
        }
        Does::Fails(status, after) => {
            tokio::time::sleep(after).await;
            Err(status)
        }
        Does::Hangs => std::future::pending().await,
        Does::Resets(after) => {
            tokio::time::sleep(after).await;
            Err(Status::from_error(Box::new(std::io::Error::other("connection reset"))))
        }
        Does::Unmade(fault) => Err(Status::from_error(Box::new(ConnectError(Box::new(fault))))),
    }
}

/// Tells the runtime's time, and that it was asked: whoever does something asks.
struct Turned {
    begun: Instant,
    asked: AtomicU64,
    stirred: Notify,
}

impl Clock for Turned {
    fn now(&self) -> Timestamp {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.stirred.notify_one();
        Timestamp::from_micros(1_800_000_000_000_000).plus(self.begun.elapsed())
    }
}

/// A worker, its ledger and its endpoint.
pub struct Town {
    dispatch: Arc<Dispatch>,
    clock: Arc<Turned>,
    book: Arc<Mutex<(Vec<Made>, usize)>>,
    barriers: u64,
    _folder: TempDir,
}

impl Town {
    /// Serves the link of H49 to an endpoint.
    pub async fn new(window: u32, script: impl Fn(usize, &str) -> Does + Send + Sync + 'static) -> Self {
        let folder = TempDir::new().unwrap();
        let metrics = Arc::new(Metrics::unobserved());
        let options = Options {
            path: folder.path().join("ledger.db"),
            commit_batch_max: 64,
            commit_bytes_max: 1 << 20,
            queue_max: 16,
            readers: 2,
            mailbox_deliveries_max: 10_000,
            policy: OF_DELIVERIES,
            outbox: false,
        };
        let (ledger, commits) = SqliteLedger::open(&options, Arc::clone(&metrics)).unwrap();
        let ledger: Arc<dyn Ledger> = Arc::new(ledger);
        let begun = Instant::now();
        let clock = Arc::new(Turned { begun, asked: AtomicU64::new(0), stirred: Notify::new() });
        let dispatch = Arc::new(Dispatch {
            broker: Arc::new(EmbeddedBroker::new(Arc::clone(&ledger))),
            ledger,
            hot: Arc::new(HotMessages::new(1 << 20)),
            served: Served::default(),
            heads: Heads::default(),
            strays: Strays::default(),
            links: Links::default(),
            allowances: Arc::default(),
            windows: Windows::default(),
            calendar: Arc::new(ArcSwap::from_pointee(Calendar::new(17 * 3_600, []))),
            notices: Notices::default(),
            clock: Arc::<Turned>::clone(&clock),
            metrics,
        });
        let stop = CancellationToken::new();
        let timers = Timers::new(Arc::clone(&dispatch));
        tokio::spawn(Router::new(Arc::clone(&dispatch), commits, timers.alarm()).run());
        tokio::spawn(timers.run(stop.clone()));
        let book = Arc::<Mutex<_>>::default();
        let inbox = Arc::new(Endpoint { script: Box::new(script), begun, book: Arc::clone(&book) });
        let record = LinkRecord { link: link(window, clock.now()), outage: None };
        let set = LinkChange::Set(Box::new(record.link.clone()));
        assert!(held(async { dispatch.ledger.change_link(set).await.unwrap().await }).await.unwrap());
        let worker = Worker::new(Arc::clone(&dispatch), record, inbox, POLICY, 1 << 30);
        tokio::spawn(worker.run(stop.clone()));
        Self { dispatch, clock, book, barriers: 0, _folder: folder }
    }

    /// Accepts messages `m-0`, `m-1`, ... for H49, from as many senders.
    pub async fn accept(&self, count: usize) {
        let letters = (0..count).map(|n| self.letter(n)).collect();
        let accepted = async { self.dispatch.ledger.accept(letters).await.unwrap().await };
        assert!(held(accepted).await.unwrap().iter().all(Result::is_ok));
    }

    fn letter(&self, n: usize) -> Acceptance {
        let now = self.clock.now();
        let message = Message {
            sender: sender(n),
            message_id: MessageId::parse(&format!("m-{n}")).unwrap(),
            content_hash: Hash::of(n.to_string().as_bytes()),
            payload_hash: Hash::of(b"x"),
            header: Bytes::new(),
            payload: Bytes::from_static(b"x"),
            accepted_at: now,
            expires_at: now.plus(TTL),
        };
        let recipient = OrganId::parse("H49").unwrap();
        Acceptance {
            message: Arc::new(message),
            lane: Lane::Normal,
            addressees: vec![Addressee { recipient, redirected: None, mailbox_max: None }],
            acknowledge_by: now.plus(TTL),
            document_id: None,
            change: None,
        }
    }

    /// Lets time pass until so many calls were made, and what follows from them is done.
    pub async fn calls(&mut self, count: usize) -> Vec<Made> {
        loop {
            self.stillness().await;
            let made = self.book.lock().unwrap().0.clone();
            if made.len() >= count {
                return made;
            }
            self.pass().await;
        }
    }

    /// Lets time pass until the delivery of each of the messages `m-0`, `m-1`, ... is in one of these states.
    pub async fn ended(&mut self, count: usize, states: &[State]) {
        self.stillness().await;
        for n in 0..count {
            while !states.contains(&self.stands(n).await.progress.state) {
                self.pass().await;
                self.stillness().await;
            }
        }
    }

    /// How long all this took.
    pub fn elapsed(&self) -> Duration {
        self.clock.begun.elapsed()
    }

    /// Lets time pass until somebody does something again.
    async fn pass(&self) {
        self.clock.stirred.notified().await;
    }

    /// Waits until nothing moves: whatever the ledger was given is written, and nobody does anything about it any more.
    async fn stillness(&mut self) {
        let mut still = 0;
        while still < STILL {
            let asked = self.clock.asked.load(Ordering::Relaxed);
            self.barriers += 1;
            let (from, to) = (self.barriers - 1, self.barriers);
            let ledger = Arc::clone(&self.dispatch.ledger);
            let written = async { ledger.advance_mark("barrier", from, to).await.unwrap().await };
            assert!(held(written).await.unwrap());
            for _ in 0..YIELDS {
                tokio::task::yield_now().await;
            }
            let moved = self.clock.asked.load(Ordering::Relaxed) != asked;
            still = if moved { 0 } else { still + 1 };
        }
        // All that was done is seen to.
        let _stirred = self.clock.stirred.notified().now_or_never();
    }

    /// Where the one delivery of a message stands.
    pub async fn stands(&self, n: usize) -> DeliveryRecord {
        let id = MessageId::parse(&format!("m-{n}")).unwrap();
        let (record, _) = self.dispatch.ledger.track(&sender(n), &id).await.unwrap().unwrap();
        record.deliveries.into_iter().next().unwrap()
    }
}

/// Waits without letting time pass.
async fn held<F: Future>(what: F) -> F::Output {
    let mut what = pin!(what);
    loop {
        tokio::select! {
            biased;
            done = &mut what => return done,
            () = tokio::task::yield_now() => {}
        }
    }
}

fn sender(n: usize) -> OrganId {
    OrganId::parse(&format!("G22.{}", n + 1)).unwrap()
}

fn link(window: u32, set_at: Timestamp) -> PushLink {
    let organ = OrganId::parse("H49").unwrap();
    PushLink {
        server: Server::Organ(organ.clone()),
        organ,
        endpoint: "https://inbox.example.vn".to_owned(),
        window,
        timeout: CALL_TIMEOUT,
        receipts: false,
        enabled: true,
        set_at,
        set_by: "operator:lan".to_owned(),
    }
}
