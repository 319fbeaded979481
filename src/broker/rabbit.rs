//! The broker on RabbitMQ: mailboxes are quorum queues, filled from the ledger's outbox and served by whichever node has a collector.
//!
//! What travels for an organ that collects over gRPC is a pointer. Nothing RabbitMQ does can lose a delivery: what is not confirmed stays in
//! the outbox, what a queue lost is published again from the ledger, and what comes twice the ledger refuses to offer twice.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Broker, Consumer};
use crate::amqp::topology::Topology;
use crate::amqp::{self, Link, OptionsError, Publisher, State, Tasks};
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::domain::turns::Turns;
use crate::ledger::{BecameReady, Ledger, Ready};
use crate::metrics::Metrics;

mod acks;
mod dead;
mod declarations;
mod keeper;
mod mailbox;
mod outbox;
mod packer;
mod parcel;
mod parking;
mod pointer;
mod pool;
mod publishing;
mod pump;
mod reserve;
mod served;
mod shelf;

pub use packer::{Packed, Packer, Pointers, Whole};
pub use pointer::POINTER_TYPE;

use declarations::Declarations;
use outbox::Outbox;
use parking::Parking;
use pool::Pool;
use served::Served;

/// How the broker works.
#[derive(Clone, Debug)]
pub struct Options {
    /// How RabbitMQ is reached.
    pub connection: amqp::Options,
    /// What is declared there.
    pub topology: Topology,
    /// Messages with pointers held in memory for each queue of a mailbox somebody serves. At least 1.
    pub prefetch: u16,
    /// The wait before a full mailbox, or one that cannot be declared, is tried again.
    pub retry_delay: Duration,
    /// Deliveries of more urgent lanes after which a lane has its turn.
    pub urgent_run_max: NonZeroU32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connection: amqp::Options::default(),
            topology: Topology::default(),
            prefetch: 512,
            retry_delay: Duration::from_secs(5),
            urgent_run_max: Turns::URGENT_RUN_MAX,
        }
    }
}

/// The broker. Dropped, it lets go of RabbitMQ.
pub struct RabbitBroker {
    core: Arc<Core>,
}

/// What all its parts work with.
struct Core {
    options: Options,
    ledger: Arc<dyn Ledger>,
    packer: Arc<dyn Packer>,
    metrics: Arc<Metrics>,
    publish: Link,
    consume: Link,
    publisher: Publisher,
    parking: Parking,
    pool: Pool,
    declarations: Declarations,
    outbox: Outbox,
    served: Served,
    // Told when something says that the fixed topology is not there.
    redeclare: Notify,
    tasks: Tasks,
}

impl RabbitBroker {
    /// Starts it; RabbitMQ need not be there yet. The ledger has to keep an outbox.
    pub fn start(
        options: Options,
        ledger: Arc<dyn Ledger>,
        packer: Arc<dyn Packer>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, OptionsError> {
        options.connection.check()?;
        let tasks = Tasks::default();
        let link = |role| Link::start(options.connection.clone(), role, Arc::clone(&metrics), &tasks);
        let (publish, consume) = (link("publish")?, link("consume")?);
        let publisher = Publisher::start(&publish, Arc::clone(&metrics), &tasks);
        let parked = Publisher::start(&publish, Arc::clone(&metrics), &tasks);
        let queue = options.topology.names.parked();
        let core = Arc::new(Core {
            parking: Parking::start(queue, parked, Arc::clone(&metrics), &tasks),
            pool: Pool::new(consume.clone(), options.prefetch, Arc::clone(&metrics)),
            declarations: Declarations::default(),
            outbox: Outbox::new(),
            served: Served::new(options.urgent_run_max),
            redeclare: Notify::new(),
            options,
            ledger,
            packer,
            metrics,
            publish,
            consume,
            publisher,
            tasks,
        });
        core.tasks.spawn(keeper::run(Arc::clone(&core), core.tasks.stop_token()));
        core.tasks.spawn(publishing::run(Arc::clone(&core), core.tasks.stop_token()));
        core.tasks.spawn(dead::run(Arc::clone(&core), core.tasks.stop_token()));
        Ok(Self { core })
    }

    /// The connection for publishing, the connection for consuming, and what is declared; for others who use them too.
    pub fn shared(&self) -> (&Link, &Link, &Topology) {
        (&self.core.publish, &self.core.consume, &self.core.options.topology)
    }

    /// Resolves when everything published so far is confirmed, and has arrived at those mailboxes this node takes from.
    pub async fn settled(&self) {
        self.core.outbox.idle().await;
        for mailbox in self.core.served.all() {
            mailbox.look(0).await;
        }
    }

    /// Lets go of RabbitMQ; what was taken and not decided goes back to the queues.
    pub async fn stop(&self) {
        self.core.tasks.stopped().await;
    }
}

impl Drop for RabbitBroker {
    fn drop(&mut self) {
        self.core.tasks.stop();
    }
}

impl Broker for RabbitBroker {
    fn publish(&self, organ: &OrganId, lane: Lane, ready: Ready) {
        self.core.outbox.publish(BecameReady { organ: organ.clone(), lane, ready, message: None });
    }

    fn consume(self: Arc<Self>, organ: &OrganId) -> Box<dyn Consumer> {
        Box::new(served::consume(&self.core, organ))
    }

    fn has_consumer(&self, organ: &OrganId) -> bool {
        self.core.served.is_served(organ)
    }

    fn look_again(&self) {
        self.core.outbox.look_again();
    }

    fn health(&self) -> Result<(), String> {
        for link in [&self.core.publish, &self.core.consume] {
            match &*link.state().borrow() {
                State::Up(_) => {}
                State::Down(Some(why)) => return Err(format!("RabbitMQ is not reached: {why}")),
                State::Down(None) => return Err("RabbitMQ is not reached yet".to_owned()),
                State::Blocked(_, why) => return Err(format!("RabbitMQ takes no messages: {why}")),
                State::Stopped => return Err("the connection to RabbitMQ is closed".to_owned()),
            }
        }
        self.core.declarations.health()
    }
}
