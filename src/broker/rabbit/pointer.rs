//! Pointers: mailbox messages that say which deliveries are ready, and nothing of what is in them.

use std::borrow::Cow;

use bytes::Bytes;
use lapin::BasicProperties;
use serde::{Deserialize, Serialize};

use crate::domain::delivery::DeliveryId;
use crate::domain::message::Lane;
use crate::ledger::{MessageKey, Ready};

/// The `type` of a message of pointers.
pub const POINTER_TYPE: &str = "truc.ready";
/// Deliveries one message points to. A busy mailbox costs RabbitMQ that much less; what is not taken of a message goes back as a whole.
pub(super) const POINTERS_MAX: usize = 32;
/// What AMQP calls a persistent message: quorum queues keep each on disk, others only these.
const PERSISTENT: u8 = 2;
/// No message of pointers is longer, bytes.
const LENGTH_MAX: usize = POINTERS_MAX * 160;

#[derive(Serialize, Deserialize)]
struct Pointer<'a> {
    delivery_id: Cow<'a, str>,
    message: u64,
    payload_bytes: u64,
    attempt: u32,
}

/// The message that points to deliveries of a lane; its message id is the first one's, its priority the lane's.
pub(super) fn pack(lane: Lane, ready: impl IntoIterator<Item = Ready>) -> (BasicProperties, Bytes) {
    let pointer = |ready: Ready| Pointer {
        delivery_id: ready.delivery.to_string().into(),
        message: ready.message.0,
        payload_bytes: ready.payload_bytes,
        attempt: ready.attempt,
    };
    let pointers: Vec<_> = ready.into_iter().map(pointer).collect();
    let body = serde_json::to_vec(&pointers).expect("texts and numbers are JSON");
    let mut properties = BasicProperties::default()
        .with_type(POINTER_TYPE.into())
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_priority(lane.priority());
    if let Some(first) = pointers.first() {
        properties = properties.with_message_id(first.delivery_id.as_ref().into());
    }
    (properties, Bytes::from(body))
}

/// The deliveries a message points to. None when it is not made of pointers.
pub(super) fn unpack(properties: &BasicProperties, body: &[u8]) -> Option<Vec<Ready>> {
    if properties.kind().as_ref().map(|kind| kind.as_str()) != Some(POINTER_TYPE) || body.len() > LENGTH_MAX {
        return None;
    }
    let pointers: Vec<Pointer<'_>> = serde_json::from_slice(body).ok()?;
    let ready = |pointer: &Pointer<'_>| {
        Some(Ready {
            delivery: DeliveryId::parse(&pointer.delivery_id)?,
            message: MessageKey(pointer.message),
            payload_bytes: pointer.payload_bytes,
            attempt: pointer.attempt,
        })
    };
    let ready: Vec<Ready> = pointers.iter().map(ready).collect::<Option<_>>()?;
    (1..=POINTERS_MAX).contains(&ready.len()).then_some(ready)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(delivery: u64, attempt: u32) -> Ready {
        Ready { delivery: DeliveryId(delivery), message: MessageKey(17), payload_bytes: 2048, attempt }
    }

    #[test]
    fn pointers_are_read_as_they_were_written() {
        let (properties, body) = pack(Lane::Normal, [ready(42, 3), ready(43, 0)]);
        let text = r#"[{"delivery_id":"d42","message":17,"payload_bytes":2048,"attempt":3},{"delivery_id":"d43","message":17,"payload_bytes":2048,"attempt":0}]"#;
        assert_eq!(body, text);
        assert_eq!(properties.message_id().as_ref().unwrap().as_str(), "d42");
        assert_eq!(unpack(&properties, &body), Some(vec![ready(42, 3), ready(43, 0)]));
    }

    #[test]
    fn as_many_as_are_packed_are_read_however_large_their_numbers() {
        let largest = Ready {
            delivery: DeliveryId(i64::MAX as u64),
            message: MessageKey(u64::MAX),
            payload_bytes: u64::MAX,
            attempt: u32::MAX,
        };
        let (properties, body) = pack(Lane::Normal, [largest; POINTERS_MAX]);
        assert_eq!(unpack(&properties, &body), Some(vec![largest; POINTERS_MAX]));
        let (properties, body) = pack(Lane::Normal, [ready(1, 0); POINTERS_MAX + 1]);
        assert_eq!(unpack(&properties, &body), None, "more than any message of this gateway has");
    }

    #[test]
    fn what_is_not_made_of_pointers_is_none() {
        let (properties, good) = pack(Lane::Normal, [ready(1, 0)]);
        assert_eq!(unpack(&BasicProperties::default(), &good), None, "another type");
        let long = [b" ".repeat(LENGTH_MAX), good.to_vec()].concat();
        for body in [
            &b""[..],
            b"{}",
            b"[]",
            b"\xff",
            br#"{"delivery_id":"d42","message":1,"payload_bytes":1,"attempt":0}"#,
            br#"[{"delivery_id":"42","message":1,"payload_bytes":1,"attempt":0}]"#,
            &long,
        ] {
            assert_eq!(unpack(&properties, body), None);
        }
    }
}
