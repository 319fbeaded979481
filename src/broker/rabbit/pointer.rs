//! Pointers: mailbox messages that say which delivery is ready, and nothing of what is in it.

use bytes::Bytes;
use lapin::BasicProperties;
use serde::{Deserialize, Serialize};

use super::packer::Packed;
use crate::domain::delivery::DeliveryId;
use crate::ledger::{MessageKey, Ready};

/// The `type` of a pointer.
pub const POINTER_TYPE: &str = "truc.ready";
/// What AMQP calls a persistent message: quorum queues keep each on disk, others only these.
const PERSISTENT: u8 = 2;
/// No pointer is longer, bytes.
const LENGTH_MAX: usize = 512;

#[derive(Serialize, Deserialize)]
struct Pointer<'a> {
    delivery_id: &'a str,
    message: u64,
    payload_bytes: u64,
    attempt: u32,
}

/// The message that points to a delivery.
pub(super) fn pack(ready: &Ready) -> Packed {
    let id = ready.delivery.to_string();
    let pointer = Pointer {
        delivery_id: &id,
        message: ready.message.0,
        payload_bytes: ready.payload_bytes,
        attempt: ready.attempt,
    };
    let body = serde_json::to_vec(&pointer).expect("texts and numbers are JSON");
    let properties = BasicProperties::default()
        .with_type(POINTER_TYPE.into())
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_message_id(id.into());
    Packed { body: Bytes::from(body), properties, lease: None }
}

/// The delivery a message points to. None when it is no pointer.
pub(super) fn unpack(properties: &BasicProperties, body: &[u8]) -> Option<Ready> {
    if properties.kind().as_ref().map(|kind| kind.as_str()) != Some(POINTER_TYPE) || body.len() > LENGTH_MAX {
        return None;
    }
    let pointer: Pointer<'_> = serde_json::from_slice(body).ok()?;
    Some(Ready {
        delivery: DeliveryId::parse(pointer.delivery_id)?,
        message: MessageKey(pointer.message),
        payload_bytes: pointer.payload_bytes,
        attempt: pointer.attempt,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_as_it_was_written() {
        let ready =
            Ready { delivery: DeliveryId(42), message: MessageKey(17), payload_bytes: 2048, attempt: 3 };
        let packed = pack(&ready);
        let text = r#"{"delivery_id":"d42","message":17,"payload_bytes":2048,"attempt":3}"#;
        assert_eq!(packed.body, text);
        assert_eq!(unpack(&packed.properties, &packed.body), Some(ready));
    }

    #[test]
    fn what_is_no_pointer_is_none() {
        let good =
            pack(&Ready { delivery: DeliveryId(1), message: MessageKey(1), payload_bytes: 1, attempt: 0 });
        assert_eq!(unpack(&BasicProperties::default(), &good.body), None, "another type");
        let long = [b" ".repeat(600), good.body.to_vec()].concat();
        for body in [
            &b""[..],
            b"{}",
            b"\xff",
            br#"{"delivery_id":"42","message":1,"payload_bytes":1,"attempt":0}"#,
            &long,
        ] {
            assert_eq!(unpack(&good.properties, body), None);
        }
    }
}
