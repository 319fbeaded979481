//! Agencies attached by AMQP: what they submit and settle comes in from RabbitMQ, their deliveries and receipts go out to it.
//!
//! `docs/amqp.md` is the contract. The broker is acknowledged only when the ledger has committed; what nobody understands is parked
//! and blocks nobody. What the bridge publishes it never takes in: it publishes to other exchanges than it reads from, and
//! what its own user publishes is refused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::amqp::topology::Topology;
use crate::amqp::{Link, Options, OptionsError, Publisher, Subscription, Tasks};
use crate::delivery::Dispatch;
use crate::directory::Directory;
use crate::submission::Desk;

mod attached;
pub mod codec;
pub mod dossiers;
mod leases;
pub mod letter;
mod notices;
pub mod office;
mod outcomes;
mod packer;
pub mod parked;
mod receipts;
mod reports;
mod said;
pub mod sender;
mod stalls;
mod status_files;
mod steps;
mod submissions;
mod turn;
pub mod users;

pub use dossiers::Dossiers;
pub use packer::Deliveries;

use attached::Attached;
use leases::Leases;
use notices::Notices;
use office::Office;
use outcomes::Outcomes;
use reports::Reports;
use said::Said;
use stalls::Stalls;
use steps::Steps;
use submissions::Submissions;

/// What an operator sets.
#[derive(Clone, Debug)]
pub struct BridgeOptions {
    /// How RabbitMQ is connected to.
    pub amqp: Options,
    /// What is declared there.
    pub topology: Topology,
    /// Messages of one kind taken in and not acknowledged.
    pub prefetch: u16,
    /// The largest body that is read, bytes.
    pub message_bytes_max: usize,
    /// How long a delivery is leased to an agency's queue.
    pub lease: Duration,
    /// Stillness after which an agency's mailbox is stalled.
    pub stall_after: Duration,
}

/// The bridge at work.
pub struct Bridge {
    tasks: Tasks,
    changed: watch::Sender<()>,
}

impl Bridge {
    /// Starts it; it works as soon as RabbitMQ is there.
    pub fn start(
        options: BridgeOptions,
        dispatch: Arc<Dispatch>,
        desk: Arc<Desk>,
        dossiers: Dossiers,
        directory: Arc<ArcSwap<Directory>>,
        stop: &CancellationToken,
    ) -> Result<Self, OptionsError> {
        let tasks = Tasks::below(stop);
        let metrics = Arc::clone(&dispatch.metrics);
        let start = |role| Link::start(options.amqp.clone(), role, Arc::clone(&metrics), &tasks);
        let (outgoing, incoming) = (start("bridge publish")?, start("bridge consume")?);
        let office = Arc::new(Office {
            publisher: Publisher::start(&outgoing, Arc::clone(&metrics), &tasks),
            link: incoming.clone(),
            topology: options.topology.clone(),
            directory,
            clock: Arc::clone(&dispatch.clock),
            metrics: Arc::clone(&metrics),
            message_bytes_max: options.message_bytes_max,
            tasks: tasks.clone(),
            room: Arc::new(Semaphore::new(usize::from(options.prefetch) * 2)),
        });
        let changed = watch::Sender::new(());
        let subscribe =
            |queue| Subscription::start(&incoming, queue, options.prefetch, Arc::clone(&metrics), &tasks);
        let topology = &options.topology;
        let submissions = Submissions { office: Arc::clone(&office), desk: Arc::clone(&desk) };
        tasks.spawn(submissions.run(subscribe(topology.submissions())));
        let outcomes = Said::<Outcomes>::new(&office, &desk);
        tasks.spawn(outcomes.run(subscribe(topology.outcomes())));
        let reports = Said::<Reports>::new(&office, &desk);
        tasks.spawn(reports.run(subscribe(topology.reports())));
        let steps = Steps { office: Arc::clone(&office), desk: Arc::clone(&dossiers.desk) };
        tasks.spawn(steps.run(subscribe(topology.steps())));
        dossiers::start(&dossiers, &office, &dispatch, &start("bridge dossiers")?, &changed);
        let attached = Attached::new(Arc::clone(&office), Arc::clone(&dispatch), changed.subscribe());
        tasks.spawn(attached.run());
        let stalls = Stalls {
            office: Arc::clone(&office),
            dispatch: Arc::clone(&dispatch),
            after: options.stall_after,
            watched: HashMap::new(),
        };
        tasks.spawn(stalls.run());
        let notices = Notices { office: Arc::clone(&office), dispatch: Arc::clone(&dispatch) };
        tasks.spawn(notices.run());
        tasks.spawn(Leases { office, dispatch, lease: options.lease }.run());
        Ok(Self { tasks, changed })
    }

    /// The directory is another one.
    pub fn directory_changed(&self) {
        self.changed.send_replace(());
    }

    /// Ends it. What was not acknowledged comes again.
    pub async fn stop(&self) {
        self.tasks.stopped().await;
    }
}
