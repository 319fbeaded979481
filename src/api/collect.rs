//! Collecting: a stream of deliveries out and settlements in, and fetching for those that poll.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::Api;
use super::caller::{Caller, Speaker};
use crate::delivery::{CollectorOptions, Handed, Offered, WrittenSettlement};
use crate::domain::limits::{
    FETCH_DEFAULT, FETCH_MAX, FETCH_WAIT_S_MAX, LEASE_S_DEFAULT, LEASE_S_MAX, LEASE_S_MIN, WINDOW_DEFAULT,
    WINDOW_MAX,
};
use crate::domain::refusal::{Reason, Refusal};
use crate::intake::{ledger_failed, settlements};
use crate::proto::convert;
use crate::proto::v1::{self, collect_request::Request};

/// Messages of a collector on their way to its connection.
const OUT_MAX: usize = 2;
/// Batches of settlements on their way from its connection.
const IN_MAX: usize = 4;
/// How long a stream may be open before it says what it wants.
const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// A stream of responses to a collector.
pub type Responses = BoxStream<'static, Result<v1::CollectResponse, Status>>;

impl Api {
    /// Serves a mailbox on a stream.
    pub fn collect(self: Arc<Self>, caller: Caller, inbound: Streaming<v1::CollectRequest>) -> Responses {
        let (out, handed) = mpsc::channel(OUT_MAX);
        let (fault, fault_told) = oneshot::channel();
        let tasks = self.tasks.clone();
        tasks.spawn(async move {
            if let Err(refusal) = Arc::clone(&self).run_collector(caller, inbound, out).await {
                let _gone = fault.send(refusal).is_err();
            }
        });
        let responses = ReceiverStream::new(handed).map(|handed| match handed {
            Ok(handed) => Ok(response(handed)),
            Err(error) => Err(convert::status(&ledger_failed(&error))),
        });
        // What went wrong is told last, after what had been handed out.
        let end = stream::once(fault_told).filter_map(async |fault| fault.ok().map(Err));
        responses.chain(end).boxed()
    }

    async fn run_collector(
        self: Arc<Self>,
        caller: Caller,
        mut inbound: Streaming<v1::CollectRequest>,
        out: mpsc::Sender<Result<Handed, crate::ledger::Error>>,
    ) -> Result<(), Status> {
        let (first, ()) = tokio::select! {
            first = tokio::time::timeout(OPEN_TIMEOUT, inbound.message()) => (first, ()),
            () = self.stop.cancelled() => return Err(self.refuse(&Self::shutting_down())),
        };
        let options = match first {
            Ok(message) => {
                let message = message.map_err(|status| self.broken_off(status))?;
                self.collector_options(caller, message).map_err(|r| self.refuse(&r))?
            }
            Err(_) => return Err(self.refuse(&violation("no message came"))),
        };
        let _open = self.streams.open(&options.by).map_err(|r| self.refuse(&r))?;
        let (settlements, written) = mpsc::channel(IN_MAX);
        let session = Arc::clone(&self.dispatch).collect(options, written, out, self.stop.clone());
        let session = self.tasks.spawn(session);
        let read = self.read_settlements(&mut inbound, &settlements).await;
        drop(settlements);
        let _panicked = session.await.is_err();
        read
    }

    async fn read_settlements(
        &self,
        inbound: &mut Streaming<v1::CollectRequest>,
        settlements: &mpsc::Sender<Vec<WrittenSettlement>>,
    ) -> Result<(), Status> {
        loop {
            let message = tokio::select! {
                // First, because the session ends by itself then, and the caller has to know why.
                biased;
                () = self.stop.cancelled() => return Err(self.refuse(&Self::shutting_down())),
                () = settlements.closed() => return Ok(()),
                message = inbound.message() => message.map_err(|status| self.broken_off(status))?,
            };
            let batch = match message.map(|message| message.request) {
                None => return Ok(()),
                Some(Some(Request::Settle(batch))) => settlements::read(batch.settlements),
                Some(Some(Request::Open(_))) => Err(violation("the collector is open already")),
                Some(None) => Err(violation("a message that neither opens nor settles")),
            };
            let batch = batch.map_err(|refusal| self.refuse(&refusal))?;
            if settlements.send(batch).await.is_err() {
                return Ok(());
            }
        }
    }

    fn collector_options(
        &self,
        caller: Caller,
        first: Option<v1::CollectRequest>,
    ) -> Result<CollectorOptions, Refusal> {
        let Some(Request::Open(open)) = first.and_then(|message| message.request) else {
            return Err(violation("the first message does not open the collector"));
        };
        let Speaker { by, organ } = self.speaker(caller, &open.organ, "open.organ")?;
        Ok(CollectorOptions {
            organ,
            by,
            window: counted(open.window, WINDOW_DEFAULT, WINDOW_MAX, "open.window")?,
            window_bytes: self.limits.collect_window_bytes,
            lease: lease(open.lease.as_ref(), "open.lease")?,
        })
    }

    /// Leases what is ready.
    pub async fn fetch(
        &self,
        caller: Caller,
        request: v1::FetchRequest,
    ) -> Result<v1::FetchResponse, Refusal> {
        let Speaker { organ, .. } = self.speaker(caller, &request.organ, "organ")?;
        let limit = counted(request.max_deliveries, FETCH_DEFAULT, FETCH_MAX, "max_deliveries")?;
        let lease = lease(request.lease.as_ref(), "lease")?;
        let wait = bounded(request.wait.as_ref(), Duration::ZERO, 0..=FETCH_WAIT_S_MAX, "wait")?;
        let bytes = self.limits.collect_window_bytes;
        // Dropped when the caller hangs up: what comes after that is for others.
        let given_up = self.stop.child_token();
        let _waiting = given_up.clone().drop_guard();
        let notified = organ.clone();
        let fetching = Arc::clone(&self.dispatch).fetch(organ, limit, bytes, lease, wait, given_up);
        // A task of its own: what has been taken is leased and loaded even when the caller goes away.
        let fetched = tokio::select! {
            biased;
            fetched = self.tasks.spawn(fetching) => fetched,
            () = self.stop.cancelled() => return Err(Self::shutting_down()),
        };
        let offered = match fetched {
            Ok(offered) => offered.map_err(|error| ledger_failed(&error))?,
            Err(_) => return Err(Refusal::new(Reason::Internal, "a fault of the gateway")),
        };
        // What was leased is handed out whatever becomes of the notice.
        let overdue = self.dispatch.overdue_notice(&notified).await.unwrap_or_default();
        Ok(v1::FetchResponse {
            deliveries: offered.into_iter().map(delivery).collect(),
            overdue: overdue.iter().map(convert::overdue).collect(),
        })
    }

    /// Settles what was fetched.
    pub async fn settle(
        &self,
        caller: Caller,
        request: v1::SettleRequest,
    ) -> Result<v1::SettleResponse, Refusal> {
        let Speaker { by, organ } = self.speaker(caller, &request.organ, "organ")?;
        let written = settlements::read(request.settlements)?;
        let answers = self.dispatch.settle(&organ, &by, written).await;
        let answers = answers.map_err(|error| ledger_failed(&error))?;
        Ok(v1::SettleResponse { results: settlements::results(answers) })
    }
}

fn violation(what: &str) -> Refusal {
    Refusal::new(Reason::ProtocolViolation, what.to_owned())
        .field("request")
        .hint("open first and once, then settle")
}

pub(super) fn counted(asked: u32, default: u32, max: u32, path: &str) -> Result<usize, Refusal> {
    match asked {
        0 => Ok(default as usize),
        1.. if asked <= max => Ok(asked as usize),
        _ => Err(Refusal::new(Reason::InvalidField, format!("{asked} is more than {max}"))
            .field(path)
            .hint(format!("1 to {max}, or 0 for {default}"))),
    }
}

fn lease(asked: Option<&prost_types::Duration>, path: &str) -> Result<Duration, Refusal> {
    bounded(asked, Duration::from_secs(LEASE_S_DEFAULT), LEASE_S_MIN..=LEASE_S_MAX, path)
}

pub(super) fn bounded(
    asked: Option<&prost_types::Duration>,
    default: Duration,
    seconds: std::ops::RangeInclusive<u64>,
    path: &str,
) -> Result<Duration, Refusal> {
    let Some(asked) = asked else { return Ok(default) };
    let (min, max) = (Duration::from_secs(*seconds.start()), Duration::from_secs(*seconds.end()));
    convert::duration_of(asked).filter(|asked| (min..=max).contains(asked)).ok_or_else(|| {
        Refusal::new(Reason::InvalidField, "a duration out of its bounds").field(path).hint(format!(
            "{} to {} seconds",
            seconds.start(),
            seconds.end()
        ))
    })
}

fn response(handed: Handed) -> v1::CollectResponse {
    match handed {
        Handed::Deliveries(offered) => v1::CollectResponse {
            deliveries: offered.into_iter().map(delivery).collect(),
            ..Default::default()
        },
        Handed::Settled(answers) => {
            v1::CollectResponse { settled: settlements::results(answers), ..Default::default() }
        }
        Handed::Overdue(records) => v1::CollectResponse {
            overdue: records.iter().map(convert::overdue).collect(),
            ..Default::default()
        },
    }
}

fn delivery(offered: Offered) -> v1::Delivery {
    tracing::debug!(
        message_id = %offered.message.message_id,
        delivery = %offered.stepped.delivery,
        recipient = %offered.stepped.recipient,
        attempt = offered.stepped.progress.attempt,
        "offered"
    );
    convert::delivery(&offered.stepped, &offered.message)
}
