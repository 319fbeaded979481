//! The gRPC face of the gateway: one small handler for each call, over [`Desk`] and [`Dispatch`].

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;

use crate::allowances::Rate;
use crate::delivery::Dispatch;
use crate::directory::{Ambiguity, Directory, Versions, vietnam_day};
use crate::domain::limits::ENVELOPE_BYTES_MAX;
use crate::domain::refusal::{Reason, Refusal};
use crate::proto::convert;
use crate::push::Targets;
use crate::submission::Desk;

mod caller;
mod collect;
mod cursor;
mod directory;
mod dossiers;
mod duty;
mod exchange;
mod follow;
mod history;
mod links;
mod operations;
mod recall;
mod receipts;
mod server;
mod status;
mod streams;
mod submit;
mod untyped;

pub use dossiers::DossierParts;
pub use server::{ServeError, ServerOptions, serve};
use streams::Streams;

/// What the handlers work with.
pub struct Api {
    /// Where submissions come in.
    pub desk: Arc<Desk>,
    /// Delivery and the ledger.
    pub dispatch: Arc<Dispatch>,
    /// Who takes part.
    pub directory: Arc<ArcSwap<Directory>>,
    /// What has changed of it.
    pub versions: Arc<Versions>,
    /// What the handlers are limited to.
    pub limits: Limits,
    /// Which addresses endpoints may have.
    pub targets: Arc<Targets>,
    /// Open streams per organ.
    pub streams: Arc<Streams>,
    /// Tasks that outlive their call by a little: they end before the ledger is closed.
    pub tasks: TaskTracker,
    /// The node is being taken out of service: streams end.
    pub stop: CancellationToken,
}

/// The limits an operator sets on calls.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Largest payload, bytes.
    pub payload_bytes_max: usize,
    /// Submissions of one stream read ahead of the oldest not answered.
    pub stream_window: usize,
    /// Payload bytes a collector may hold unsettled.
    pub collect_window_bytes: u64,
    /// Streams an organ may have open.
    pub streams_per_organ_max: usize,
    /// Open deliveries of one mailbox.
    pub mailbox_deliveries_max: u64,
    /// How fast an organ may submit.
    pub rate: Rate,
    /// Where documents go that several organs could get.
    pub ambiguity: Ambiguity,
}

impl Api {
    /// The handlers of a gateway.
    pub fn new(
        desk: Arc<Desk>,
        dispatch: Arc<Dispatch>,
        (directory, versions): (Arc<ArcSwap<Directory>>, Arc<Versions>),
        limits: Limits,
        targets: Arc<Targets>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self {
            desk,
            dispatch,
            directory,
            versions,
            limits,
            targets,
            streams: Arc::new(Streams::new(limits.streams_per_organ_max)),
            tasks,
            stop,
        }
    }

    /// The day it is in Vietnam.
    fn today(&self) -> time::Date {
        vietnam_day(self.dispatch.clock.now())
    }

    /// A refusal as a status, counted.
    fn refuse(&self, refusal: &Refusal) -> Status {
        self.dispatch.metrics.refusals.of(refusal.reason()).increment(1);
        convert::status(refusal)
    }

    /// The largest request, bytes.
    fn request_bytes_max(&self) -> usize {
        self.limits.payload_bytes_max + ENVELOPE_BYTES_MAX
    }

    /// What ended the requests of a stream.
    fn broken_off(&self, status: Status) -> Status {
        untyped::of_stream(status, self.request_bytes_max())
    }

    fn shutting_down() -> Refusal {
        Refusal::new(Reason::ShuttingDown, "the gateway is stopping")
            .hint("connect again; what was not settled will be offered again")
            .retry_after(crate::delivery::LEDGER_RETRY_DELAY)
    }
}
