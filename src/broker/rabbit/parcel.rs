//! Parcels: what is published together in one message, and what was packed into it.

use std::collections::HashMap;

use super::packer::{Packed, Whole};
use super::pointer::{self, POINTERS_MAX};
use crate::amqp::{Names, Outgoing};
use crate::domain::delivery::Lease;
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::ledger::BecameReady;

/// One message to a mailbox.
pub(super) struct Parcel {
    /// What it holds; never empty, all of one mailbox and lane.
    pub deliveries: Vec<BecameReady>,
    whole: Option<Box<Whole>>,
}

impl Parcel {
    /// The lease of the delivery it holds, when it holds a whole one.
    pub fn lease(&self) -> Option<Lease> {
        self.whole.as_ref().map(|whole| whole.lease)
    }

    /// The message.
    pub fn outgoing(&self, names: &Names) -> Outgoing {
        let (organ, lane) = (&self.deliveries[0].organ, self.deliveries[0].lane);
        let (properties, body) = match &self.whole {
            Some(whole) => (whole.properties.clone(), whole.body.clone()),
            None => pointer::pack(lane, self.deliveries.iter().map(|became| became.ready)),
        };
        Outgoing { exchange: names.deliveries(), routing_key: names.mailbox(organ, lane), properties, body }
    }
}

/// Parcels that are published at once.
#[derive(Default)]
pub(super) struct Load {
    pub parcels: Vec<Parcel>,
    // Of whole deliveries; pointers are as nothing beside them.
    bytes: usize,
    // Of each mailbox the parcel of pointers that is not full.
    open: HashMap<(OrganId, Lane), usize>,
}

impl Load {
    /// True when it would be more bytes than this, and something is in it.
    pub fn is_full_for(&self, packed: &Packed, bytes_max: usize) -> bool {
        match packed {
            Packed::Whole(whole) => self.bytes > 0 && self.bytes + whole.body.len() > bytes_max,
            Packed::Pointer => false,
        }
    }

    /// Adds a delivery, in the order of its mailbox.
    pub fn add(&mut self, became: BecameReady, packed: Packed) {
        let whole = match packed {
            Packed::Pointer => None,
            Packed::Whole(whole) => Some(whole),
        };
        let mailbox = (became.organ.clone(), became.lane);
        let place = self.parcels.len();
        if whole.is_some() {
            // What comes after it stays after it.
            self.open.remove(&mailbox);
        } else if let Some(open) = self.open.get(&mailbox)
            && self.parcels[*open].deliveries.len() < POINTERS_MAX
        {
            self.parcels[*open].deliveries.push(became);
            return;
        } else {
            self.open.insert(mailbox, place);
        }
        self.bytes += whole.as_ref().map_or(0, |whole| whole.body.len());
        self.parcels.push(Parcel { deliveries: vec![became], whole });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lapin::BasicProperties;

    use super::*;
    use crate::domain::delivery::DeliveryId;
    use crate::ledger::{MessageKey, Ready};

    fn ready(organ: &str, lane: Lane, delivery: u64) -> BecameReady {
        let ready =
            Ready { delivery: DeliveryId(delivery), message: MessageKey(1), payload_bytes: 1, attempt: 0 };
        BecameReady { organ: OrganId::parse(organ).unwrap(), lane, ready, message: None }
    }

    fn whole(bytes: usize) -> Packed {
        let body = Bytes::from(vec![0; bytes]);
        Packed::Whole(Box::new(Whole { body, properties: BasicProperties::default(), lease: Lease(1) }))
    }

    fn content(load: &Load) -> Vec<Vec<u64>> {
        let ids = |parcel: &Parcel| parcel.deliveries.iter().map(|became| became.ready.delivery.0).collect();
        load.parcels.iter().map(ids).collect()
    }

    #[test]
    fn pointers_of_one_mailbox_and_lane_travel_together_in_their_order() {
        let mut load = Load::default();
        for (id, organ, lane) in [
            (1, "H49", Lane::Normal),
            (2, "H05", Lane::Normal),
            (3, "H49", Lane::Urgent),
            (4, "H49", Lane::Normal),
            (5, "H05", Lane::Normal),
            (6, "H49", Lane::Express),
        ] {
            load.add(ready(organ, lane, id), Packed::Pointer);
        }
        assert_eq!(content(&load), [vec![1, 4], vec![2, 5], vec![3], vec![6]]);
        let sent: Vec<_> = load.parcels.iter().map(|parcel| parcel.outgoing(&Names::default())).collect();
        let routes: Vec<_> = sent.iter().map(|outgoing| outgoing.routing_key.as_str()).collect();
        assert_eq!(routes[2], routes[3], "the urgent lanes share a queue");
        assert!(routes[0] != routes[1] && routes[0] != routes[2]);
        let priorities: Vec<_> = sent.iter().map(|outgoing| *outgoing.properties.priority()).collect();
        assert_eq!(priorities, [Some(0), Some(0), Some(1), Some(3)]);
    }

    #[test]
    fn a_full_message_is_followed_by_another() {
        let mut load = Load::default();
        for id in 0..=POINTERS_MAX as u64 {
            load.add(ready("H49", Lane::Normal, id), Packed::Pointer);
        }
        let sizes: Vec<_> = content(&load).iter().map(Vec::len).collect();
        assert_eq!(sizes, [POINTERS_MAX, 1]);
    }

    #[test]
    fn a_whole_delivery_travels_alone_and_keeps_its_place() {
        let mut load = Load::default();
        load.add(ready("H49", Lane::Normal, 1), Packed::Pointer);
        load.add(ready("H49", Lane::Normal, 2), whole(10));
        load.add(ready("H49", Lane::Normal, 3), Packed::Pointer);
        assert_eq!(content(&load), [[1], [2], [3]]);
        assert!(load.is_full_for(&whole(10), 15) && !load.is_full_for(&whole(10), 20));
        assert!(!load.is_full_for(&Packed::Pointer, 10));
        assert!(
            !Load::default().is_full_for(&whole(10), 5),
            "one larger than all that is allowed goes alone"
        );
    }
}
