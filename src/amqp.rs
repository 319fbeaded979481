//! The connection to RabbitMQ, as everything that uses it sees it: connections that come back, topology that is declared and
//! compared, publishing whose fate is always told, subscriptions that resume.
//!
//! Nothing here knows what is in a message. The broker of the gateway and the bridge to agencies are built on it.

mod connector;
mod link;
mod names;
mod options;
mod publisher;
mod subscription;
mod tasks;
pub mod topology;

pub use connector::ConnectError;
pub use link::{Link, Lost, State};
pub use names::{MailboxQueue, Names};
pub use options::{Endpoint, Options, OptionsError, TlsFiles};
pub use publisher::{Outgoing, Publisher, Settled, Settling};
pub use subscription::Subscription;
pub use tasks::Tasks;

use std::error::Error as StdError;

use lapin::ErrorKind;

/// What RabbitMQ said when it closed a channel, and left the connection: a code and a text. None for anything else.
pub fn refusal(error: &lapin::Error) -> Option<(u16, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) if is_soft(error) => {
            Some((error.get_id(), error.get_message().to_string()))
        }
        _ => None,
    }
}

fn is_soft(error: &lapin::protocol::AMQPError) -> bool {
    matches!(error.kind(), lapin::protocol::AMQPErrorKind::Soft(_))
}

/// An error with its causes, each said once.
fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        next = cause.source();
    }
    said
}
