//! The exchanges and queues there are, each argument with its reason; declaring them, and telling where RabbitMQ has them differently.

use lapin::types::{AMQPValue, FieldTable};

use super::names::{MailboxQueue, Names};
use crate::domain::organ_id::OrganId;

mod declare;
mod definitions;

pub use declare::{Declared, Declarer, answers, declare, declare_queue, delete, exists, find_queue};

/// Most messages in each of the queues nobody has to empty soon: the parked and the dead. Beyond it the oldest go.
const ATTIC_LENGTH_MAX: u32 = 1_000_000;

/// How often a message there may be looked at.
const LOOKED_AT_MAX: u32 = 1_000_000;

/// How often an event of a dossier may come back unacknowledged.
const COME_BACK_MAX: u32 = 1_000_000;

/// Bounds an operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// How often a message may come back unacknowledged before RabbitMQ gives it up.
    pub delivery_limit: u32,
    /// Most messages in a mailbox queue, and in those agencies fill; beyond it RabbitMQ refuses more.
    pub mailbox_length_max: u32,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self { delivery_limit: 100, mailbox_length_max: 2_000_000 }
    }
}

/// How an exchange spreads what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// To the queues bound with the message's routing key.
    Direct,
    /// To every queue bound.
    Fanout,
    /// To the queues bound with a pattern that matches the message's routing key, word by word.
    Topic,
}

impl Spread {
    fn as_str(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
        }
    }
}

/// An exchange; all of them are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// How it spreads.
    pub spread: Spread,
}

/// What an argument of a queue is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// A text.
    Text(String),
    /// A number.
    Number(u32),
    /// Yes or no.
    Flag(bool),
}

/// A queue with what is bound to it; all of them are durable quorum queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Its arguments.
    pub arguments: Vec<(&'static str, Argument)>,
    /// The exchanges it is bound to, each with the routing key.
    pub bindings: Vec<(String, String)>,
}

impl Queue {
    fn table(&self) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in &self.arguments {
            let value = match value {
                Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
                Argument::Number(number) => AMQPValue::LongLongInt(i64::from(*number)),
                Argument::Flag(flag) => AMQPValue::Boolean(*flag),
            };
            table.insert((*name).into(), value);
        }
        table
    }
}

/// All there is: a fixed part, and queues that come with the organs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// What things are called.
    pub names: Names,
    /// The bounds.
    pub limits: QueueLimits,
}

impl Topology {
    /// The exchanges.
    pub fn exchanges(&self) -> Vec<Exchange> {
        let exchange = |name, spread| Exchange { name, spread };
        vec![
            // Agencies publish here and nowhere else, so one permission to write is all they need.
            exchange(self.names.submissions(), Spread::Direct),
            // Mailboxes are reached through an exchange, not by the name of a queue: what nobody has declared comes back.
            exchange(self.names.deliveries(), Spread::Direct),
            exchange(self.names.receipts(), Spread::Direct),
            // Whatever the routing key a message had, it reaches the one queue of the dead.
            exchange(self.names.dead(), Spread::Fanout),
            // Events of dossiers, for queues an operator binds: by organ, procedure and status.
            exchange(self.names.dossiers(), Spread::Topic),
        ]
    }

    /// The queues that are always there.
    pub fn queues(&self) -> Vec<Queue> {
        vec![self.submissions(), self.outcomes(), self.reports(), self.steps(), self.dead(), self.parked()]
    }

    /// What agencies submit.
    pub fn submissions(&self) -> Queue {
        let binding = (self.names.submissions(), Names::SUBMIT.to_owned());
        self.filled_by_others(self.names.submissions(), binding)
    }

    /// What agencies say of their deliveries.
    pub fn outcomes(&self) -> Queue {
        let binding = (self.names.submissions(), Names::SETTLE.to_owned());
        self.filled_by_others(self.names.outcomes(), binding)
    }

    /// What business statuses agencies report.
    pub fn reports(&self) -> Queue {
        let binding = (self.names.submissions(), Names::STATUS.to_owned());
        self.filled_by_others(self.names.reports(), binding)
    }

    /// What steps of dossiers agencies publish.
    pub fn steps(&self) -> Queue {
        let binding = (self.names.submissions(), Names::STEPS.to_owned());
        let mut queue = self.filled_by_others(self.names.steps(), binding);
        queue.arguments.push(one_consumer());
        queue
    }

    /// The events of dossiers an organ follows. It is published to through the default exchange, which needs no binding.
    pub fn dossiers(&self, organ: &OrganId) -> Queue {
        let arguments = vec![
            ("x-queue-type", Argument::Text("quorum".to_owned())),
            // Order comes first: an event that comes back stays at the head until the organ takes it. Without this argument RabbitMQ 4 drops it
            // after 20 times.
            ("x-delivery-limit", Argument::Number(COME_BACK_MAX)),
            // The gateway stops long before; beyond it RabbitMQ says no, and the log has what was not taken.
            ("x-max-length", Argument::Number(self.limits.mailbox_length_max)),
            ("x-overflow", Argument::Text("reject-publish".to_owned())),
            one_consumer(),
        ];
        Queue { name: self.names.dossiers_of(organ), arguments, bindings: Vec::new() }
    }

    /// What RabbitMQ gave up.
    pub fn dead(&self) -> Queue {
        let binding = (self.names.dead(), String::new());
        Queue { name: self.names.dead(), arguments: attic(), bindings: vec![binding] }
    }

    /// What nobody understands. It is published through the default exchange, which needs no binding.
    pub fn parked(&self) -> Queue {
        Queue { name: self.names.parked(), arguments: attic(), bindings: Vec::new() }
    }

    /// One of the queues of an organ's mailbox, or the one of a lane.
    pub fn mailbox(&self, organ: &OrganId, queue: impl Into<MailboxQueue>) -> Queue {
        let name = self.names.mailbox(organ, queue);
        let binding = (self.names.deliveries(), name.clone());
        self.filled_by_others(name, binding)
    }

    /// An organ's receipts.
    pub fn receipts(&self, organ: &OrganId) -> Queue {
        let binding = (self.names.receipts(), organ.to_string());
        self.filled_by_others(self.names.receipts_of(organ), binding)
    }

    fn filled_by_others(&self, name: String, binding: (String, String)) -> Queue {
        let text = |text: &str| Argument::Text(text.to_owned());
        let arguments = vec![
            // Replicated, synced to disk before it is confirmed, and counting how often a message came back.
            ("x-queue-type", text("quorum")),
            // A message that never is acknowledged would come back for ever. Without this argument RabbitMQ 4 gives up after 20 times.
            ("x-delivery-limit", Argument::Number(self.limits.delivery_limit)),
            // What is given up is not dropped: the gateway looks at it.
            ("x-dead-letter-exchange", Argument::Text(self.names.dead())),
            // An organ that does not take its mail fills its own queue, and not the disk of all.
            ("x-max-length", Argument::Number(self.limits.mailbox_length_max)),
            // A full queue says no to the publisher, which keeps the message. The other way, dropping the oldest, is not for mail.
            ("x-overflow", text("reject-publish")),
        ];
        Queue { name, arguments, bindings: vec![binding] }
    }
}

/// Of several consumers one gets all messages, in order; the next takes over when it goes.
fn one_consumer() -> (&'static str, Argument) {
    ("x-single-active-consumer", Argument::Flag(true))
}

/// Queues for people to look into: bounded, and the newest are worth the most.
fn attic() -> Vec<(&'static str, Argument)> {
    vec![
        ("x-queue-type", Argument::Text("quorum".to_owned())),
        ("x-max-length", Argument::Number(ATTIC_LENGTH_MAX)),
        ("x-overflow", Argument::Text("drop-head".to_owned())),
        // Looking at a message counts as handing it out. Without this argument RabbitMQ 4 drops what was looked at 20 times.
        ("x-delivery-limit", Argument::Number(LOOKED_AT_MAX)),
    ]
}
