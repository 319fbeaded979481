//! Deliveries that have been taken and wait for their turn: of each sender one at a time is on its way.

use std::collections::{HashMap, VecDeque};

use crate::delivery::Offered;
use crate::domain::organ_id::OrganId;

/// A line for each sender of whom something is on its way.
#[derive(Debug, Default)]
pub struct Lines(HashMap<OrganId, VecDeque<Offered>>);

impl Lines {
    /// A delivery comes; given back when it is its turn at once.
    pub fn come(&mut self, offered: Offered) -> Option<Offered> {
        match self.0.get_mut(&offered.message.sender) {
            Some(line) => {
                line.push_back(offered);
                None
            }
            None => {
                self.0.insert(offered.message.sender.clone(), VecDeque::new());
                Some(offered)
            }
        }
    }

    /// What was on its way of a sender has arrived or not; gives whose turn it is.
    pub fn next(&mut self, sender: &OrganId) -> Option<Offered> {
        let next = self.0.get_mut(sender)?.pop_front();
        if next.is_none() {
            self.0.remove(sender);
        }
        next
    }

    /// All that wait go.
    pub fn clear(&mut self) -> Vec<Offered> {
        self.0.values_mut().flat_map(std::mem::take).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::domain::delivery::{DeliveryId, Progress};
    use crate::domain::duty::Duty;
    use crate::domain::message::{Hash, MessageId};
    use crate::domain::time::Timestamp;
    use crate::ledger::{Message, MessageKey, Stepped};

    fn offered(id: u64, sender: &str) -> Offered {
        let message = Message {
            sender: OrganId::parse(sender).unwrap(),
            message_id: MessageId::parse("m").unwrap(),
            content_hash: Hash::of(b""),
            payload_hash: Hash::of(b""),
            header: Bytes::new(),
            payload: Bytes::new(),
            accepted_at: Timestamp::EPOCH,
            expires_at: Timestamp::EPOCH,
        };
        let stepped = Stepped {
            delivery: DeliveryId(id),
            message: MessageKey(id),
            recipient: OrganId::parse("H49").unwrap(),
            addressed_to: None,
            progress: Progress::accepted(Timestamp::EPOCH),
            about: Vec::new(),
            is_notice: false,
            duty: Duty::until(Timestamp::EPOCH),
        };
        Offered { stepped, message: Arc::new(message) }
    }

    #[test]
    fn of_each_sender_one_at_a_time_in_order() {
        let id = |offered: Option<Offered>| offered.map(|offered| offered.stepped.delivery.0);
        let g22 = OrganId::parse("G22").unwrap();
        let mut lines = Lines::default();
        assert_eq!(id(lines.come(offered(1, "G22"))), Some(1));
        assert_eq!(id(lines.come(offered(2, "G22"))), None);
        assert_eq!(id(lines.come(offered(3, "H01"))), Some(3));
        assert_eq!(id(lines.come(offered(4, "G22"))), None);
        assert_eq!(id(lines.next(&g22)), Some(2));
        assert_eq!(lines.clear().len(), 1);
        assert_eq!(id(lines.come(offered(5, "G22"))), None, "2 is still on its way");
        assert_eq!(id(lines.next(&g22)), Some(5));
        assert_eq!(id(lines.next(&g22)), None);
        assert_eq!(id(lines.come(offered(6, "G22"))), Some(6));
    }
}
