//! Every metric of the gateway, in one table. The comments are the help texts; `docs/metrics.md` is the table for people.

mod handles;
mod labels;
pub mod per_object;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use self::handles::Handle;
pub use self::handles::{Family, Kind, Label};
pub use self::labels::{
    HandshakeResult, LinkState, OpenState, ParkCause, PushOutcome, SettlementOutcome, StallReason,
    StepPeculiarity, StepResult, SubmitResult, Version,
};
use crate::domain::receipt::ReceiptKind;
use crate::domain::refusal::Reason;
use crate::domain::status::StatusCode;

use metrics::{Counter, Gauge, Histogram, NoopRecorder, Recorder};

/// Bounds of histogram buckets for times, seconds: from a commit without a wait to the longest call.
const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Bounds of histogram buckets for numbers of things.
const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];
/// For what has no buckets.
const NONE: &[f64] = &[];

/// What a metric is called and what it tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The name in `/metrics`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// `count`, `seconds` or `bytes`.
    pub unit: &'static str,
    /// The label's key; empty when there is no label.
    pub label: &'static str,
    /// The values the label can have.
    pub values: Vec<&'static str>,
    /// Upper bounds of the buckets, for a histogram.
    pub buckets: &'static [f64],
    /// What it tells.
    pub help: &'static str,
}

macro_rules! table {
    ($($(#[doc = $help:literal])+ $field:ident: $handle:ty = $name:literal, $unit:literal, $buckets:ident;)*) => {
        /// A handle for every metric, made once, so that counting is one atomic operation and never a look-up.
        #[derive(Clone)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub $field: $handle,)*
        }

        impl Metrics {
            fn register(recorder: &dyn Recorder) -> Self {
                Self { $($field: <$handle as Handle>::register(recorder, $name),)* }
            }
        }

        /// All metrics, in the order of the table.
        pub fn definitions() -> Vec<Definition> {
            vec![$(Definition {
                name: $name,
                kind: <$handle as Handle>::KIND,
                unit: $unit,
                label: <$handle as Handle>::LABEL,
                values: <$handle as Handle>::values(),
                buckets: $buckets,
                help: concat!($($help),+).trim_ascii(),
            },)*]
        }
    };
}

table! {
    /// Submissions answered, by the answer.
    submissions: Family<Counter, SubmitResult> = "truc_submissions_total", "count", NONE;
    /// Calls, submissions and settlements refused, by the reason the caller was told.
    refusals: Family<Counter, Reason> = "truc_refusals_total", "count", NONE;
    /// Receipts written to the ledger, by their kind.
    receipts: Family<Counter, ReceiptKind> = "truc_receipts_total", "count", NONE;
    /// Deliveries that have not ended, by their state.
    deliveries_open: Family<Gauge, OpenState> = "truc_deliveries_open", "count", NONE;
    /// Age of the oldest delivery that has not ended; 0 when all have.
    deliveries_oldest_open: Gauge = "truc_deliveries_oldest_open_seconds", "seconds", NONE;
    /// Open deliveries that were not acknowledged on the working day they were to be, and still are not.
    deliveries_overdue: Gauge = "truc_deliveries_overdue", "count", NONE;
    /// Deliveries handed to a collector's connection, each attempt counted.
    offers: Counter = "truc_offers_total", "count", NONE;
    /// Settlements taken, by their outcome.
    settlements: Family<Counter, SettlementOutcome> = "truc_settlements_total", "count", NONE;
    /// Business statuses recorded, by their code.
    statuses: Family<Counter, StatusCode> = "truc_statuses_total", "count", NONE;
    /// Collectors connected.
    collectors: Gauge = "truc_collectors", "count", NONE;
    /// Collectors that let a lease end and have not settled since.
    collectors_stalled: Gauge = "truc_collectors_stalled", "count", NONE;
    /// Mailboxes with ready deliveries and somebody who serves them on this node in which nothing moves, by what is in the way.
    mailboxes_stalled: Family<Gauge, StallReason> = "truc_mailboxes_stalled", "count", NONE;
    /// Time of one commit of the ledger, from its first statement to the end of its fsync.
    commit_seconds: Histogram = "truc_commit_seconds", "seconds", SECONDS;
    /// Changes written in one commit of the ledger.
    commit_batch_size: Histogram = "truc_commit_batch_size", "count", COUNTS;
    /// Commits of the ledger that failed; everybody in one was told that nothing was done.
    commit_failures: Counter = "truc_commit_failures_total", "count", NONE;
    /// Changes waiting for the ledger's writer.
    ledger_queue: Gauge = "truc_ledger_queue", "count", NONE;
    /// Commits tried again: the database was busy with another node's, or the connection was lost.
    ledger_retries: Counter = "truc_ledger_retries_total", "count", NONE;
    /// Times the connection to the ledger's database was lost and found again.
    ledger_reconnects: Counter = "truc_ledger_reconnects_total", "count", NONE;
    /// Gateway nodes at work on the ledger; 0 where there can be but one.
    ledger_nodes: Gauge = "truc_ledger_nodes", "count", NONE;
    /// Bytes the ledger takes on its disk: with SQLite its file and log, with PostgreSQL the database.
    ledger_bytes: Gauge = "truc_ledger_bytes", "bytes", NONE;
    /// Messages whose payload was removed because its time had come.
    purged_messages: Counter = "truc_purged_messages_total", "count", NONE;
    /// Bytes of payloads and status files removed.
    purged_bytes: Counter = "truc_purged_bytes_total", "count", NONE;
    /// By how much the removal of payloads is behind; some 60 seconds are let gather on purpose.
    retention_overdue: Gauge = "truc_retention_overdue_seconds", "seconds", NONE;
    /// Payload bytes kept in memory so that deliveries need not read them from disk.
    hot_bytes: Gauge = "truc_hot_bytes", "bytes", NONE;
    /// Time from a submission's arrival to its answer, accepted or not.
    submit_seconds: Histogram = "truc_submit_seconds", "seconds", SECONDS;
    /// Submissions answered that came through RabbitMQ; those are in `truc_submissions_total` too.
    bridge_submissions: Family<Counter, SubmitResult> = "truc_bridge_submissions_total", "count", NONE;
    /// Deliveries written for agencies attached by AMQP, each attempt counted.
    bridge_deliveries: Counter = "truc_bridge_deliveries_total", "count", NONE;
    /// Messages with settlements that came through RabbitMQ.
    bridge_outcomes: Counter = "truc_bridge_outcomes_total", "count", NONE;
    /// Messages with reports of business status that came through RabbitMQ.
    bridge_reports: Counter = "truc_bridge_reports_total", "count", NONE;
    /// Receipts that the broker has confirmed for agencies attached by AMQP, repeats counted.
    bridge_receipts: Counter = "truc_bridge_receipts_total", "count", NONE;
    /// Status files that the broker has confirmed for senders attached by AMQP, repeats counted.
    bridge_status_files: Counter = "truc_bridge_status_files_total", "count", NONE;
    /// Notices of what is overdue that the broker has confirmed for agencies attached by AMQP.
    bridge_notices: Counter = "truc_bridge_notices_total", "count", NONE;
    /// Deliveries an agency's queue gave back: rejected without an outcome, or handed out too often.
    bridge_dead_lettered: Counter = "truc_bridge_dead_lettered_total", "count", NONE;
    /// Leases renewed of deliveries that wait in agencies' queues.
    bridge_renewals: Counter = "truc_bridge_renewals_total", "count", NONE;
    /// Refusals an agency's full queue of receipts did not take; nothing was promised.
    bridge_answers_lost: Counter = "truc_bridge_answers_lost_total", "count", NONE;
    /// Messages with steps of dossiers that came through RabbitMQ.
    bridge_steps: Counter = "truc_bridge_steps_total", "count", NONE;
    /// Events of dossiers that the broker has confirmed, for agencies' queues and for the exchange, repeats counted.
    bridge_dossier_events: Counter = "truc_bridge_dossier_events_total", "count", NONE;
    /// Agencies' queues of dossiers that this node would feed and that are full.
    bridge_dossier_queues_full: Gauge = "truc_bridge_dossier_queues_full", "count", NONE;
    /// Messages parked, by the cause.
    bridge_parked: Family<Counter, ParkCause> = "truc_bridge_parked_total", "count", NONE;
    /// Steps of dossiers answered, by the answer.
    dossier_steps: Family<Counter, StepResult> = "truc_dossier_steps_total", "count", NONE;
    /// Steps of dossiers taken that are peculiar, by what is.
    dossier_flags: Family<Counter, StepPeculiarity> = "truc_dossier_peculiar_steps_total", "count", NONE;
    /// Events of dossiers sent to subscribers, each of them counted.
    dossier_events_sent: Counter = "truc_dossier_events_sent_total", "count", NONE;
    /// Subscribers of dossiers connected.
    dossier_subscribers: Gauge = "truc_dossier_subscribers", "count", NONE;
    /// Events between the end of the log of dossiers and the place of the consumer that is farthest behind.
    dossier_lag_events: Gauge = "truc_dossier_lag_events", "count", NONE;
    /// Age of the first event that consumer is not done with; 0 when all are done with all.
    dossier_lag_seconds: Gauge = "truc_dossier_lag_seconds", "seconds", NONE;
    /// Steps of dossiers that wait for steps before them.
    dossier_steps_held: Gauge = "truc_dossier_steps_held", "count", NONE;
    /// Age of the oldest of these.
    dossier_oldest_held: Gauge = "truc_dossier_oldest_held_seconds", "seconds", NONE;
    /// Steps held beyond their time and shown with a gap before them, or after one that was.
    dossier_steps_released: Counter = "truc_dossier_steps_released_total", "count", NONE;
    /// Time of one commit of the log of dossiers, from its first statement to the end of its fsync.
    dossier_commit_seconds: Histogram = "truc_dossier_commit_seconds", "seconds", SECONDS;
    /// Steps written in one commit of the log of dossiers.
    dossier_commit_batch_size: Histogram = "truc_dossier_commit_batch_size", "count", COUNTS;
    /// Commits of the log of dossiers that failed; everybody in one was told so.
    dossier_commit_failures: Counter = "truc_dossier_commit_failures_total", "count", NONE;
    /// Time to gather the digests of the dossiers of one comparison.
    dossier_compare_seconds: Histogram = "truc_dossier_compare_seconds", "seconds", SECONDS;
    /// Dossiers whose digests are kept in memory for comparisons, some sixty bytes each.
    dossier_digests_kept: Gauge = "truc_dossier_digests_kept", "count", NONE;
    /// Push links this node sees to, by how they do.
    push_links: Family<Gauge, LinkState> = "truc_push_links", "count", NONE;
    /// Deliveries brought to endpoints, each attempt counted, by what came of it.
    pushes: Family<Counter, PushOutcome> = "truc_pushes_total", "count", NONE;
    /// Time from the call of an endpoint with a delivery to its answer, or to when it was given up.
    push_seconds: Histogram = "truc_push_seconds", "seconds", SECONDS;
    /// Receipts that endpoints have taken.
    push_receipts: Counter = "truc_push_receipts_total", "count", NONE;
    /// Notices of what is overdue that endpoints have taken, or do without.
    push_notices: Counter = "truc_push_notices_total", "count", NONE;
    /// Connections of agencies open.
    connections: Gauge = "truc_connections", "count", NONE;
    /// TLS handshakes ended, by their result.
    handshakes: Family<Counter, HandshakeResult> = "truc_handshakes_total", "count", NONE;
    /// Messages published to RabbitMQ, each attempt counted.
    broker_published: Counter = "truc_broker_published_total", "count", NONE;
    /// Messages RabbitMQ confirmed: they are in a queue.
    broker_confirmed: Counter = "truc_broker_confirmed_total", "count", NONE;
    /// Messages RabbitMQ returned, because no queue was bound.
    broker_returned: Counter = "truc_broker_returned_total", "count", NONE;
    /// Messages RabbitMQ refused to take: the queue is full, or it cannot have such a message.
    broker_nacked: Counter = "truc_broker_nacked_total", "count", NONE;
    /// Messages whose confirm never came; those are published again.
    broker_unconfirmed: Counter = "truc_broker_unconfirmed_total", "count", NONE;
    /// Messages taken from queues of RabbitMQ.
    broker_delivered: Counter = "truc_broker_delivered_total", "count", NONE;
    /// Messages among these that had been handed over before.
    broker_redelivered: Counter = "truc_broker_redelivered_total", "count", NONE;
    /// Messages acknowledged to RabbitMQ.
    broker_acked: Counter = "truc_broker_acked_total", "count", NONE;
    /// Messages that could not be understood, put into the queue of parked messages.
    broker_parked: Counter = "truc_broker_parked_total", "count", NONE;
    /// Messages RabbitMQ gave up and put into the queue of dead ones.
    broker_dead: Counter = "truc_broker_dead_total", "count", NONE;
    /// Connections to RabbitMQ made again after one was lost.
    broker_reconnects: Counter = "truc_broker_reconnects_total", "count", NONE;
    /// Connections to RabbitMQ that are up.
    broker_connected: Gauge = "truc_broker_connected", "count", NONE;
    /// Time for which RabbitMQ has refused to take messages since the start, all together.
    broker_blocked_seconds: Gauge = "truc_broker_blocked_seconds", "seconds", NONE;
    /// Ready deliveries this node has seen and RabbitMQ has not confirmed; what waits in the ledger alone counts when it is read.
    broker_backlog: Gauge = "truc_broker_backlog", "count", NONE;
    /// Always 1; the label tells the version of the program.
    build_info: Family<Gauge, Version> = "truc_build_info", "count", NONE;
}

impl Metrics {
    /// Metrics that `/metrics` shows through the returned handle. Each call makes a set of its own; the process has one.
    pub fn exported() -> (Self, PrometheusHandle) {
        let mut builder = PrometheusBuilder::new();
        for histogram in definitions().into_iter().filter(|d| d.kind == Kind::Histogram) {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(histogram.name.to_owned()), histogram.buckets)
                .expect("every histogram of the table has buckets; a test looks");
        }
        let recorder = builder.build_recorder();
        describe(&recorder);
        let metrics = Self::register(&recorder);
        metrics.build_info.of(Version).set(1.0);
        (metrics, recorder.handle())
    }

    /// Metrics nobody looks at.
    pub fn unobserved() -> Self {
        Self::register(&NoopRecorder)
    }
}

fn describe(recorder: &dyn Recorder) {
    for Definition { name, kind, help, .. } in definitions() {
        match kind {
            Kind::Counter => recorder.describe_counter(name.into(), None, help.into()),
            Kind::Gauge => recorder.describe_gauge(name.into(), None, help.into()),
            Kind::Histogram => recorder.describe_histogram(name.into(), None, help.into()),
        }
    }
}

#[cfg(test)]
mod tests;
