//! A gateway's middle: a ledger with an outbox, the broker on RabbitMQ, and what joins them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use truc::amqp::topology::Topology;
use truc::amqp::{self, Names};
use truc::broker::Broker;
use truc::broker::rabbit::{Options, Pointers, RabbitBroker};
use truc::domain::delivery::{DeliveryId, Event, Hold, Policy};
use truc::domain::message::{Hash, Lane, MessageId};
use truc::domain::organ_id::OrganId;
use truc::domain::receipt::Asserter;
use truc::domain::time::Timestamp;
use truc::ledger::sqlite::{self, SqliteLedger};
use truc::ledger::{Acceptance, Addressee, Ledger, Message, StepRequest};
use truc::metrics::Metrics;

pub fn organ(id: &str) -> OrganId {
    OrganId::parse(id).unwrap()
}

pub struct Place {
    pub ledger: Arc<dyn Ledger>,
    pub broker: Arc<RabbitBroker>,
    pub names: Names,
    taken: Arc<std::sync::Mutex<BTreeSet<DeliveryId>>>,
    sent: AtomicU64,
    tasks: Vec<JoinHandle<()>>,
    _folder: TempDir,
}

impl Place {
    /// With names of its own at RabbitMQ.
    pub async fn start(connection: amqp::Options) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let names = Names::with_prefix(&format!("f{}.", NEXT.fetch_add(1, Ordering::Relaxed)));
        Self::start_named(connection, names).await
    }

    pub async fn start_named(connection: amqp::Options, names: Names) -> Self {
        let folder = TempDir::new().unwrap();
        let metrics = Arc::new(Metrics::unobserved());
        let policy = Policy {
            attempts_max: 5,
            retry_delay_min: Duration::from_secs(1),
            retry_delay_max: Duration::from_secs(60),
            retry_jitter: 0.0,
            prompt_attempts: 2,
            acknowledged_by: truc::domain::duty::AcknowledgedBy::Delivery,
        };
        let options = sqlite::Options {
            path: folder.path().join("ledger.db"),
            commit_batch_max: 256,
            commit_bytes_max: 1 << 20,
            queue_max: 64,
            readers: 2,
            mailbox_deliveries_max: 1_000_000,
            outbox: true,
            policy,
        };
        let (ledger, mut commits) = SqliteLedger::open(&options, Arc::clone(&metrics)).unwrap();
        let ledger: Arc<dyn Ledger> = Arc::new(ledger);
        let options = Options {
            connection,
            topology: Topology { names: names.clone(), ..Topology::default() },
            retry_delay: Duration::from_secs(1),
            ..Options::default()
        };
        let broker = RabbitBroker::start(options, Arc::clone(&ledger), Arc::new(Pointers), metrics);
        let broker = Arc::new(broker.unwrap());
        let publishes = Arc::clone(&broker);
        let router = tokio::spawn(async move {
            while let Some(commit) = commits.recv().await {
                for became in commit.ready {
                    publishes.publish(&became.organ, became.lane, became.ready);
                }
            }
        });
        let taken = Arc::default();
        Self { ledger, broker, names, taken, sent: AtomicU64::new(0), tasks: vec![router], _folder: folder }
    }

    /// Accepts so many letters to an organ; RabbitMQ has no part in it.
    pub async fn accept(&self, to: &str, count: usize) {
        let letters = (0..count).map(|_| {
            let n = self.sent.fetch_add(1, Ordering::Relaxed);
            let payload = Bytes::from(format!("payload {n}"));
            let message = Message {
                sender: organ("G22"),
                message_id: MessageId::parse(&format!("m{n}")).unwrap(),
                content_hash: Hash::of(&n.to_be_bytes()),
                payload_hash: Hash::of(&payload),
                header: Bytes::new(),
                payload,
                accepted_at: Timestamp::from_micros(1),
                expires_at: Timestamp::from_micros(i64::MAX / 2),
            };
            let addressees = vec![Addressee { recipient: organ(to), redirected: None, mailbox_max: None }];
            let acknowledge_by = message.expires_at;
            let message = Arc::new(message);
            Acceptance {
                message,
                lane: Lane::Normal,
                addressees,
                acknowledge_by,
                document_id: None,
                change: None,
            }
        });
        let began = Instant::now();
        let answers = self.ledger.accept(letters.collect()).await.unwrap().await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
        assert!(began.elapsed() < Duration::from_secs(3), "acceptance waits for nobody");
    }

    /// Serves an organ: everything it takes is offered by the ledger, and counted once.
    pub fn collect(&mut self, id: &str) {
        let mut consumer = Arc::<RabbitBroker>::clone(&self.broker).consume(&organ(id));
        let (ledger, counted) = (Arc::clone(&self.ledger), Arc::clone(&self.taken));
        self.tasks.push(tokio::spawn(async move {
            loop {
                let taken = consumer.take(256, u64::MAX).await.unwrap();
                let at = Timestamp::from_micros(2);
                let offers = taken.iter().map(|ready| StepRequest {
                    delivery: ready.delivery,
                    recipient: None,
                    event: Event::Offer { hold: Hold::Stream, until: at.plus(Duration::from_secs(3_600)) },
                    at,
                    by: Asserter::Gateway,
                });
                let answers = ledger.step(offers.collect()).await.unwrap().await.unwrap();
                taken.iter().for_each(|ready| consumer.decided(ready.delivery));
                for stepped in answers.into_iter().flatten() {
                    assert!(counted.lock().unwrap().insert(stepped.delivery), "offered twice");
                }
            }
        }));
    }

    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed) as usize
    }

    pub fn taken(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    /// Waits until everything accepted was taken; gives how long that took.
    pub async fn all_taken(&self, within: Duration) -> Duration {
        let began = Instant::now();
        while self.taken() < self.sent() {
            assert!(
                began.elapsed() < within,
                "{} of {} taken within {within:?}; {:?}",
                self.taken(),
                self.sent(),
                self.broker.health()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        began.elapsed()
    }

    /// Waits until the broker says that it is well, or is not.
    pub async fn healthy(&self, well: bool, within: Duration) -> String {
        let began = Instant::now();
        loop {
            let health = self.broker.health();
            if health.is_ok() == well {
                return health.err().unwrap_or_default();
            }
            assert!(began.elapsed() < within, "{health:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn stop(self) {
        self.broker.stop().await;
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
