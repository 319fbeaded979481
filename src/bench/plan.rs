//! What the measuring process and its client processes tell each other: one JSON object a line.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::documents::Documents;
use super::dossiers::Steps;
use super::latency::Latency;
use super::received::Received;
use super::roll::is_below;
use super::sent::Sent;

/// What a client process does; the first line it reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The documents of all client processes.
    pub documents: Documents,
    /// The ids of the organs, by their numbers.
    pub organs: Vec<String>,
    /// The organs this process plays.
    pub mine: Vec<usize>,
    /// How many organs send, in all processes.
    pub senders: usize,
    /// Documents one organ has on their way, and deliveries it holds unsettled.
    pub window: usize,
    /// How often each document ends: once, or for each of those who have to see it.
    pub ends_each: u64,
    /// What its organs do.
    pub part: Part,
}

/// What the organs of a client process do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Part {
    /// Submit, collect, settle, and watch receipts. A document has ended when its sender has seen the delivered receipt.
    Exchange(Door),
    /// The same, and each organ collects for those below it on its own connection.
    OnBehalf(Door),
    /// Submit only. A document has ended when it is accepted.
    Fill(Door),
    /// Collect and never settle, but for the organ `slow`, which settles one delivery after the other with a pause.
    Stall {
        /// The gateway.
        door: Door,
        /// The organ that is only slow.
        slow: usize,
    },
    /// Publish and consume at a RabbitMQ node. A document has ended when it is acknowledged by its consumer.
    Amqp {
        /// The node.
        url: String,
        /// The queues, by the numbers of the organs.
        queues: Vec<String>,
    },
    /// Publish steps of dossiers. One has ended when it is answered.
    Publish {
        /// The gateway.
        door: Door,
        /// The steps.
        steps: Steps,
    },
    /// Follow the log of dossiers from now on. A step has ended when it is seen.
    Follow {
        /// The gateway.
        door: Door,
        /// The steps.
        steps: Steps,
    },
    /// Read the log of dossiers from its start to its end, when a phase begins.
    Read {
        /// The gateway.
        door: Door,
        /// The steps.
        steps: Steps,
    },
    /// Publish the same steps to a queue of a RabbitMQ node. One has ended when it is confirmed.
    PublishAmqp {
        /// The node.
        url: String,
        /// The queue.
        queue: String,
        /// The steps.
        steps: Steps,
    },
    /// Consume them there. A step has ended when it is acknowledged.
    FollowAmqp {
        /// The node.
        url: String,
        /// The queue.
        queue: String,
        /// The steps.
        steps: Steps,
    },
}

/// A gateway and the certificates to enter it with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Door {
    /// `https://host:port` of each node. At least one.
    pub endpoints: Vec<String>,
    /// The folder of `ca.crt` and each organ's `ID.crt` and `ID.key`.
    pub pki: PathBuf,
}

impl Plan {
    /// The organs below one.
    pub fn below(&self, organ: usize) -> impl Iterator<Item = usize> {
        let above = &self.organs[organ];
        let organs = self.organs.iter().enumerate();
        organs.filter(|(_, organ)| is_below(organ, above)).map(|(number, _)| number)
    }
}

impl Door {
    /// The node an organ enters by: organs are dealt out among the nodes.
    pub fn endpoint(&self, organ: usize) -> &str {
        &self.endpoints[organ % self.endpoints.len()]
    }
}

/// What a client process is told later.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Send.
    Run(Phase),
    /// End, and say what came of it.
    Finish,
}

/// A time of sending. It is over when all documents sent have ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Phase {
    /// 1, 2, 3, ...
    pub number: u32,
    /// How much is sent.
    pub amount: Amount,
    /// Documents a second by all senders together; without it, as fast as the windows allow.
    pub rate_per_s: Option<f64>,
}

/// How much is sent by all senders together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Amount {
    /// So many documents.
    Documents(u64),
    /// As many as can be in this time.
    Time(Duration),
}

/// What a client process tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Event {
    /// Its organs are connected.
    Ready,
    /// How far it is.
    Progress(Progress),
    /// It cannot go on.
    Failed(String),
    /// What came of it; the last line.
    Outcome(Box<Outcome>),
}

/// How far a client process is, from its start on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The phase it is in.
    pub phase: u32,
    /// Organs that still send in this phase.
    pub sending: usize,
    /// Documents sent.
    pub submitted: u64,
    /// Documents that ended, as this process sees it.
    pub ended: u64,
}

/// What came of a client process. The figures are those of the last phase, the logs of all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// What each organ sent.
    pub sent: Vec<Sent>,
    /// What each organ received.
    pub received: Vec<Received>,
    /// From submitting to the answer.
    pub accept_latency: Latency,
    /// From submitting to the end.
    pub end_latency: Latency,
    /// When the first document was submitted and the last one ended, microseconds since the epoch.
    pub span: Option<(i64, i64)>,
    /// Processor time this process took.
    pub cpu: Duration,
}
