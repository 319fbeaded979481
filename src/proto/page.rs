//! A response of Subscribe, whose events can be written as they were encoded before: one encoding of an event serves all who follow.

use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{DecodeContext, WireType, message, string};
use prost::{DecodeError, Message};

use super::v1::DossierEvent;

const EVENTS: u32 = 1;
const CURSOR: u32 = 2;

/// See `DossierEventsService.Subscribe`; the contract's message of this name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SubscribeResponse {
    /// Events in the order of the log.
    pub events: Vec<DossierEvent>,
    /// After these events, and all others the filter has left out.
    pub cursor: String,
    /// Events before those of `events`, each as [`frame`] wrote it. Nothing that is read has them.
    pub framed: Vec<Bytes>,
}

/// Writes an event as it stands in a response, made of its encoding in two parts.
pub fn frame(body: &[u8], more: &DossierEvent, buf: &mut impl BufMut) {
    prost::encoding::encode_key(EVENTS, WireType::LengthDelimited, buf);
    prost::encoding::encode_varint((body.len() + more.encoded_len()) as u64, buf);
    buf.put_slice(body);
    more.encode_raw(buf);
}

/// The event in a frame.
pub fn unframed(frame: &Bytes) -> Result<DossierEvent, DecodeError> {
    let mut response = SubscribeResponse::decode(frame.clone())?;
    Ok(response.events.pop().unwrap_or_default())
}

impl Message for SubscribeResponse {
    fn encode_raw(&self, buf: &mut impl BufMut) {
        self.framed.iter().for_each(|frame| buf.put_slice(frame));
        message::encode_repeated(EVENTS, &self.events, buf);
        if !self.cursor.is_empty() {
            string::encode(CURSOR, &self.cursor, buf);
        }
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        match tag {
            EVENTS => message::merge_repeated(wire_type, &mut self.events, buf, context),
            CURSOR => string::merge(wire_type, &mut self.cursor, buf, context),
            _ => prost::encoding::skip_field(wire_type, tag, buf, context),
        }
    }

    fn encoded_len(&self) -> usize {
        let framed: usize = self.framed.iter().map(Bytes::len).sum();
        let cursor = if self.cursor.is_empty() { 0 } else { string::encoded_len(CURSOR, &self.cursor) };
        framed + message::encoded_len_repeated(EVENTS, &self.events) + cursor
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::DossierStep;

    fn event(position: u64) -> DossierEvent {
        let step = DossierStep { step: 3, note: "Đã tiếp nhận".to_owned(), ..DossierStep::default() };
        DossierEvent {
            position,
            owner: "H49".to_owned(),
            step: Some(step),
            flags: vec![2],
            missing_from: 1,
            ..DossierEvent::default()
        }
    }

    #[test]
    fn what_was_framed_is_read_as_if_it_had_been_encoded_now() {
        let whole = |position| {
            let more = DossierEvent { position, flags: vec![2], missing_from: 1, ..DossierEvent::default() };
            let body = DossierEvent { position: 0, flags: Vec::new(), missing_from: 0, ..event(0) };
            let mut framed = Vec::new();
            frame(&body.encode_to_vec(), &more, &mut framed);
            Bytes::from(framed)
        };
        let events = vec![event(3)];
        let framed = vec![whole(1), whole(2)];
        let response = SubscribeResponse { events, cursor: "c".to_owned(), framed };
        let bytes = response.encode_to_vec();
        assert_eq!(bytes.len(), response.encoded_len());
        let read = SubscribeResponse::decode(bytes.as_slice()).unwrap();
        assert_eq!(read.events, [event(1), event(2), event(3)]);
        assert_eq!((read.cursor.as_str(), read.framed.len()), ("c", 0));
        assert_eq!(unframed(&response.framed[1]), Ok(event(2)));
    }

    #[test]
    fn an_empty_one_is_empty_and_unknown_fields_are_passed_over() {
        assert_eq!(SubscribeResponse::default().encode_to_vec(), b"");
        let read = SubscribeResponse::decode(&[0x78, 1, 0x12, 1, b'x'][..]).unwrap();
        assert_eq!(read.cursor, "x");
        assert!(SubscribeResponse::decode(&[0x0a, 9][..]).is_err());
    }
}
