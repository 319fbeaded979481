//! What exchanges and queues are called.

use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;

/// The two queues of a mailbox. Lanes are more, and queues cost RabbitMQ much (docs/adr/0012): the urgent lanes share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailboxQueue {
    /// That of all urgent lanes.
    Urgent,
    /// That of the normal lane.
    Normal,
}

impl MailboxQueue {
    /// Both, the urgent one first.
    pub const ALL: [Self; 2] = [Self::Urgent, Self::Normal];

    /// The lane a message of it belongs to, by the message's priority; what has none goes as the least urgent.
    pub fn lane(self, priority: Option<u8>) -> Lane {
        let lane = Lane::ALL.into_iter().find(|lane| Some(lane.priority()) == priority);
        match self {
            Self::Normal => Lane::Normal,
            Self::Urgent => lane.filter(|lane| *lane != Lane::Normal).unwrap_or(Lane::Urgent),
        }
    }
}

impl From<Lane> for MailboxQueue {
    fn from(lane: Lane) -> Self {
        match lane {
            Lane::TimedExpress | Lane::Express | Lane::VeryUrgent | Lane::Urgent => Self::Urgent,
            Lane::Normal => Self::Normal,
        }
    }
}

/// The names. All of them begin with a prefix, so that several gateways can share a virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

impl Default for Names {
    /// Names that begin with `truc.`.
    fn default() -> Self {
        Self::with_prefix("truc.")
    }
}

impl Names {
    /// The routing key of submissions in [`Names::submissions`].
    pub const SUBMIT: &'static str = "submit";
    /// The routing key of outcomes in [`Names::submissions`].
    pub const SETTLE: &'static str = "settle";
    /// The routing key of reports of business status in [`Names::submissions`].
    pub const STATUS: &'static str = "status";

    /// The routing key of steps of dossiers in [`Names::submissions`].
    pub const STEPS: &'static str = "steps";

    /// Names that begin like this; some 100 bytes have to be left for the rest of a name, which has at most 255.
    pub fn with_prefix(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    /// The exchange agencies publish to, and the queue of what they submit.
    pub fn submissions(&self) -> String {
        self.name("submissions")
    }

    /// The queue of what agencies say of their deliveries.
    pub fn outcomes(&self) -> String {
        self.name("outcomes")
    }

    /// The queue of the business statuses agencies report.
    pub fn reports(&self) -> String {
        self.name("reports")
    }

    /// The queue of the steps of dossiers agencies publish.
    pub fn steps(&self) -> String {
        self.name("steps")
    }

    /// The exchange of events of dossiers.
    pub fn dossiers(&self) -> String {
        self.name("dossiers")
    }

    /// The queue of the events of dossiers an organ follows.
    pub fn dossiers_of(&self, organ: &OrganId) -> String {
        self.name(&format!("dossiers.{organ}"))
    }

    /// The exchange deliveries go through to their mailboxes.
    pub fn deliveries(&self) -> String {
        self.name("deliveries")
    }

    /// The exchange receipts go through to their senders.
    pub fn receipts(&self) -> String {
        self.name("receipts")
    }

    /// The queue of an organ's receipts.
    pub fn receipts_of(&self, organ: &OrganId) -> String {
        self.name(&format!("receipts.{organ}"))
    }

    /// The exchange and the queue of what RabbitMQ gave up.
    pub fn dead(&self) -> String {
        self.name("dead")
    }

    /// The queue of messages nobody understands.
    pub fn parked(&self) -> String {
        self.name("parked")
    }

    /// One of the queues of an organ's mailbox, or the one of a lane.
    pub fn mailbox(&self, organ: &OrganId, queue: impl Into<MailboxQueue>) -> String {
        match queue.into() {
            MailboxQueue::Urgent => self.name(&format!("mailbox.{organ}.urgent")),
            MailboxQueue::Normal => self.name(&format!("mailbox.{organ}")),
        }
    }

    /// Whose mailbox a queue belongs to, and which of its queues it is. None for other queues.
    pub fn mailbox_of(&self, queue: &str) -> Option<(OrganId, MailboxQueue)> {
        let rest = queue.strip_prefix(&self.prefix)?.strip_prefix("mailbox.")?;
        let (organ, queue) = match rest.strip_suffix(".urgent") {
            Some(organ) => (organ, MailboxQueue::Urgent),
            None => (rest, MailboxQueue::Normal),
        };
        Some((OrganId::parse(organ).ok()?, queue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_known_by_its_name() {
        let names = Names::default();
        for id in ["H49", "H49.12", "000.00.12.H49"] {
            let Ok(organ) = OrganId::parse(id) else { continue };
            for one in MailboxQueue::ALL {
                let queue = names.mailbox(&organ, one);
                assert_eq!(names.mailbox_of(&queue), Some((organ.clone(), one)), "{queue}");
            }
        }
        let h49 = OrganId::parse("H49").unwrap();
        assert_eq!(names.mailbox(&h49, Lane::Urgent), "truc.mailbox.H49.urgent");
        for other in ["truc.dead", "mailbox.H49", "other.mailbox.H49", "truc.mailbox.", ""] {
            assert_eq!(names.mailbox_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_lane_is_known_by_queue_and_priority() {
        for lane in Lane::ALL {
            assert_eq!(MailboxQueue::from(lane).lane(Some(lane.priority())), lane);
        }
        for strange in [None, Some(0), Some(5), Some(255)] {
            assert_eq!(MailboxQueue::Urgent.lane(strange), Lane::Urgent);
        }
        assert_eq!(MailboxQueue::Normal.lane(Some(4)), Lane::Normal);
    }
}
