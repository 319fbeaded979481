//! An event as a message: its routing key, headers and body.

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use crate::bridge::codec::{self, Form};
use crate::bridge::office;
use crate::dossiers::Shown;
use crate::proto::v1;

/// The header with the position of the event in the log.
pub const POSITION_HEADER: &str = "x-truc-position";
/// The header with the position of the event before it in this queue; not there where the gateway does not know it.
pub const PREVIOUS_HEADER: &str = "x-truc-previous";
/// The header that names the dossier, in the normal form of its code.
pub const DOSSIER_HEADER: &str = "x-truc-dossier";
/// The header with the number of the step.
pub const STEP_HEADER: &str = "x-truc-step";
/// The header that names the organ the dossier belongs to.
pub const OWNER_HEADER: &str = "x-truc-owner";
/// The header that names the procedure.
pub const PROCEDURE_HEADER: &str = "x-truc-procedure";
/// The header with the number of the status; 0 where no code map knows it.
pub const STATUS_HEADER: &str = "x-truc-status";
/// The header with what is peculiar about the step, separated by commas: `UNUSUAL,AFTER_GAP`. Not there where nothing is.
pub const FLAGS_HEADER: &str = "x-truc-flags";

/// The key of an event in the topic exchange: `H49.12.1_004194.4`. Each level of the organ's id is a word. The procedure is one word: its dots
/// become underscores, and a code that could be taken for a level of an organ gets one in front.
pub fn routing_key(event: &Shown) -> String {
    let word = event.procedure().replace('.', "_");
    let mark = if word.bytes().all(|byte| byte.is_ascii_alphanumeric()) { "_" } else { "" };
    format!("{}.{mark}{word}.{}", event.owner, event.status())
}

/// The properties of an event; `previous` is the one before it in the same queue.
pub fn properties(event: &Shown, previous: Option<u64>, form: Form) -> BasicProperties {
    let mut headers = FieldTable::default();
    let number = |number: u64| AMQPValue::LongLongInt(i64::try_from(number).unwrap_or(i64::MAX));
    let text = |text: &str| AMQPValue::LongString(LongString::from(text));
    let mut header = |name: &'static str, value| {
        headers.insert(ShortString::from(name), value);
    };
    let message = event.message();
    header(POSITION_HEADER, number(event.position));
    header(DOSSIER_HEADER, text(event.dossier()));
    header(STEP_HEADER, number(message.step.as_ref().map_or(0, |step| step.step.into())));
    header(OWNER_HEADER, text(event.owner.as_str()));
    header(PROCEDURE_HEADER, text(event.procedure()));
    header(STATUS_HEADER, number(u64::try_from(event.status()).unwrap_or_default()));
    if let Some(previous) = previous {
        header(PREVIOUS_HEADER, number(previous));
    }
    let flags: Vec<_> = message.flags().map(flag_name).collect();
    if !flags.is_empty() {
        header(FLAGS_HEADER, text(&flags.join(",")));
    }
    office::properties::<v1::DossierEvent>(form, event.position.to_string()).with_headers(headers)
}

fn flag_name(flag: v1::StepFlag) -> &'static str {
    flag.as_str_name().trim_start_matches("STEP_FLAG_")
}

/// The body of an event.
pub fn body(event: &Shown, form: Form) -> Bytes {
    codec::write(&event.message(), form)
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::domain::dossier::Flags;
    use crate::domain::time::Timestamp;
    use crate::dossiers::Event;

    fn shown(owner: &str, procedure: &str, status: i32) -> Shown {
        let step =
            v1::DossierStep { procedure_code: procedure.to_owned(), status, step: 3, ..Default::default() };
        let body = v1::DossierEvent {
            owner: owner.to_owned(),
            dossier_code: format!("{owner}-20260105-1"),
            step: Some(step),
            ..Default::default()
        };
        let event = Event {
            position: Some(7),
            step: 3,
            flags: Flags::from_bits(Flags::UNUSUAL.bits() | Flags::AFTER_GAP.bits()),
            gap_from: 1,
            at: Timestamp::EPOCH,
            body: body.encode_to_vec().into(),
        };
        Shown::of(&event).unwrap()
    }

    #[test]
    fn each_level_is_a_word_and_the_procedure_is_never_taken_for_one() {
        for (owner, procedure, status, key) in [
            ("H49", "1.004194", 4, "H49.1_004194.4"),
            ("H49.12.7", "2.000815.000.00.00.H20", 10, "H49.12.7.2_000815_000_00_00_H20.10"),
            ("H49", "12", 4, "H49._12.4"),
            ("H49.12", "a-b", 0, "H49.12.a-b.0"),
        ] {
            assert_eq!(routing_key(&shown(owner, procedure, status)), key);
        }
    }

    #[test]
    fn headers_say_what_consumers_route_by() {
        let properties = properties(&shown("H49", "1.004194", 4), Some(5), Form::Json);
        assert_eq!(properties.message_id().as_ref().unwrap().as_str(), "7");
        assert_eq!(properties.kind().as_ref().unwrap().as_str(), "truc.v1.DossierEvent");
        let headers = properties.headers().as_ref().unwrap().inner();
        let number = |name: &str| headers.get(name).cloned();
        assert_eq!(number(POSITION_HEADER), Some(AMQPValue::LongLongInt(7)));
        assert_eq!(number(PREVIOUS_HEADER), Some(AMQPValue::LongLongInt(5)));
        assert_eq!(number(STEP_HEADER), Some(AMQPValue::LongLongInt(3)));
        assert_eq!(number(FLAGS_HEADER), Some(AMQPValue::LongString("UNUSUAL,AFTER_GAP".into())));
    }
}
