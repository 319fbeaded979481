//! Bodies: the contract's messages as protobuf or proto-JSON, told apart by the content type.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};

use crate::proto::{DESCRIPTOR_SET, v1};

/// A message of the contract that travels over AMQP.
pub trait Body: Message + Default {
    /// Its full name, as it stands in the property `type`.
    const NAME: &'static str;
}

macro_rules! bodies {
    ($($message:ident),*) => {$(
        impl Body for v1::$message {
            const NAME: &'static str = concat!("truc.v1.", stringify!($message));
        }
    )*};
}

bodies!(
    SubmitRequest,
    SettleRequest,
    ReportStatusRequest,
    Delivery,
    Receipt,
    SubmitResult,
    SettleResponse,
    ReportStatusResponse,
    StatusFile,
    OverdueNotice,
    PublishRequest,
    PublishResponse,
    DossierEvent
);

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Protobuf.
    Protobuf,
    /// Proto-JSON.
    Json,
}

impl Form {
    /// The content type of a message in this form.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// The form a content type names; parameters such as `charset=utf-8` do not matter.
    pub fn of(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        [Self::Protobuf, Self::Json]
            .into_iter()
            .find(|form| form.content_type().eq_ignore_ascii_case(media_type))
    }
}

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Neither of the two content types.
    #[error("content type {0:?}; application/x-protobuf and application/json are understood")]
    ContentType(String),
    /// Another message than belongs here.
    #[error("type {found:?}; {expected} belongs here")]
    Type {
        /// What the property says.
        found: String,
        /// What it has to say.
        expected: &'static str,
    },
    /// Larger than is read.
    #[error("{bytes} bytes; at most {bytes_max} are read")]
    TooLarge {
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
    /// Not what its content type says.
    #[error("not a {name} in {}: {why}", .form.content_type())]
    Malformed {
        /// The message it should be.
        name: &'static str,
        /// How it is said to be written.
        form: Form,
        /// What the reader says.
        why: String,
    },
}

/// What a body says it is: the properties that matter to reading it.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// The content type.
    pub content_type: &'a str,
    /// The property `type`; JSON may leave it out, since its queue says what it is.
    pub name: &'a str,
}

/// Reads a body; also tells its form.
pub fn read<M: Body>(label: Label<'_>, body: Bytes, bytes_max: usize) -> Result<(M, Form), Unreadable> {
    if body.len() > bytes_max {
        return Err(Unreadable::TooLarge { bytes: body.len(), bytes_max });
    }
    let form =
        Form::of(label.content_type).ok_or_else(|| Unreadable::ContentType(shortened(label.content_type)))?;
    let may_be_nameless = form == Form::Json;
    if label.name != M::NAME && !(label.name.is_empty() && may_be_nameless) {
        return Err(Unreadable::Type { found: shortened(label.name), expected: M::NAME });
    }
    let message = match form {
        Form::Protobuf => M::decode(body).map_err(|why| why.to_string()),
        Form::Json => of_json(&body),
    };
    let malformed = |why: String| Unreadable::Malformed { name: M::NAME, form, why: shortened(&why) };
    Ok((message.map_err(malformed)?, form))
}

/// Writes a body.
pub fn write<M: Body>(message: &M, form: Form) -> Bytes {
    match form {
        Form::Protobuf => message.encode_to_vec().into(),
        Form::Json => {
            let mut dynamic = DynamicMessage::new(descriptor::<M>());
            dynamic.transcode_from(message).expect("a message of the contract is what its descriptor says");
            serde_json::to_vec(&dynamic).expect("a message of the contract can be written as JSON").into()
        }
    }
}

fn of_json<M: Body>(body: &[u8]) -> Result<M, String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let dynamic =
        DynamicMessage::deserialize(descriptor::<M>(), &mut reader).map_err(|why| why.to_string())?;
    reader.end().map_err(|why| why.to_string())?;
    dynamic.transcode_to().map_err(|why| why.to_string())
}

fn descriptor<M: Body>() -> MessageDescriptor {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR_SET).expect("the build wrote a descriptor set"));
    POOL.get_message_by_name(M::NAME).expect("every body is a message of the contract; a test looks")
}

/// What a stranger wrote, at a length that fits a log line and a header.
fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    text.chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOBUF: &str = "application/x-protobuf";

    fn settle() -> v1::SettleRequest {
        let settlement = v1::Settlement {
            delivery_id: "d42".into(),
            lease: "a1".into(),
            outcome: Some(v1::settlement::Outcome::Rejected(v1::Rejected {
                reason: "sai nơi nhận".into()
            })),
        };
        v1::SettleRequest { organ: "H49".into(), settlements: vec![settlement] }
    }

    fn read_as<M: Body>(content_type: &str, name: &str, body: &[u8]) -> Result<(M, Form), Unreadable> {
        read(Label { content_type, name }, Bytes::copy_from_slice(body), 1_000)
    }

    #[test]
    fn what_is_written_is_read_in_both_forms() {
        for form in [Form::Protobuf, Form::Json] {
            let body = write(&settle(), form);
            let read = read_as::<v1::SettleRequest>(form.content_type(), "truc.v1.SettleRequest", &body);
            assert_eq!(read, Ok((settle(), form)));
        }
    }

    #[test]
    fn json_is_the_canonical_one() {
        let text = r#"{"organ":"H49","settlements":[{"deliveryId":"d42","lease":"a1","rejected":{"reason":"sai nơi nhận"}}]}"#;
        assert_eq!(write(&settle(), Form::Json), text.as_bytes());
        let snake = text.replace("deliveryId", "delivery_id");
        let charset = "application/json; charset=utf-8";
        assert_eq!(read_as(charset, "", snake.as_bytes()), Ok((settle(), Form::Json)));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let read = |content_type: &str, name: &str, body: &[u8]| {
            read_as::<v1::SettleRequest>(content_type, name, body).unwrap_err().to_string()
        };
        let name = "truc.v1.SettleRequest";
        assert!(read("text/plain", name, b"").starts_with("content type \"text/plain\""));
        assert!(read("", name, b"").starts_with("content type \"\""));
        assert!(read(PROTOBUF, "", b"").contains("truc.v1.SettleRequest belongs here"));
        assert!(read("application/json", "truc.v1.Delivery", b"{}").starts_with("type \"truc.v1.Delivery\""));
        assert!(
            read(PROTOBUF, name, b"\xff\xff").starts_with("not a truc.v1.SettleRequest in application/x-")
        );
        assert!(read("application/json", name, b"{\"organs\":1}").contains("organs"));
        assert!(read("application/json", name, b"{} {}").contains("trailing"));
        assert!(read("application/json", name, "[".repeat(900).as_bytes()).contains("not a truc"));
        assert!(read(PROTOBUF, name, &[0; 1_001]).starts_with("1001 bytes; at most 1000"));
        assert!(read(&"x".repeat(5_000), name, b"").len() < 300);
    }

    #[test]
    fn every_body_is_in_the_contract() {
        fn known<M: Body>() {
            assert_eq!(descriptor::<M>().full_name(), M::NAME);
        }
        known::<v1::SubmitRequest>();
        known::<v1::SettleRequest>();
        known::<v1::Delivery>();
        known::<v1::Receipt>();
        known::<v1::SubmitResult>();
        known::<v1::SettleResponse>();
        known::<v1::ReportStatusRequest>();
        known::<v1::ReportStatusResponse>();
    }

    #[test]
    fn bytes_of_json_are_base64() {
        let document = v1::OpaqueDocument { payload: vec![0xff; 3].into(), ..Default::default() };
        let content = Some(v1::submission::Content::Document(document));
        let submission = Some(v1::Submission { content, ..Default::default() });
        let body = write(&v1::SubmitRequest { submission }, Form::Json);
        assert_eq!(body, br#"{"submission":{"document":{"payload":"////"}}}"#.as_slice());
    }
}
