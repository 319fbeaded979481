//! Figures of each mailbox, on a path of their own: an organ is a label here, which `/metrics` never has. Names and path follow
//! RabbitMQ's habits.

use std::fmt::Write;
use std::time::Duration;

/// What is shown of one mailbox.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mailbox {
    /// The organ id.
    pub organ: String,
    /// Ready to be offered.
    pub ready: u64,
    /// Held by somebody who has not settled.
    pub unacked: u64,
    /// Waiting for another attempt.
    pub waiting: u64,
    /// Those that cannot go on by themselves.
    pub dead: u64,
    /// Those noted as overdue and still not acknowledged.
    pub overdue: u64,
    /// Who serves it on this node.
    pub consumers: u64,
    /// Age of the oldest.
    pub oldest: Duration,
}

type Value = fn(&Mailbox) -> f64;

/// Name, help and value of each figure.
pub const FIGURES: &[(&str, &str, Value)] = &[
    ("truc_mailbox_messages", "Deliveries of a mailbox that have not ended.", |m| {
        (m.ready + m.unacked + m.waiting + m.dead) as f64
    }),
    ("truc_mailbox_messages_ready", "Deliveries ready to be offered.", |m| m.ready as f64),
    ("truc_mailbox_messages_unacked", "Deliveries held by a collector that has not settled them.", |m| {
        m.unacked as f64
    }),
    ("truc_mailbox_messages_waiting", "Deliveries waiting for their next attempt.", |m| m.waiting as f64),
    ("truc_mailbox_messages_dead", "Deliveries that cannot go on by themselves.", |m| m.dead as f64),
    (
        "truc_mailbox_messages_overdue",
        "Deliveries not acknowledged on the working day they were to be, and still not.",
        |m| m.overdue as f64,
    ),
    ("truc_mailbox_consumers", "Collectors that serve the mailbox on this node.", |m| m.consumers as f64),
    ("truc_mailbox_oldest_seconds", "Age of the mailbox's oldest delivery that has not ended.", |m| {
        m.oldest.as_secs_f64()
    }),
];

/// The figures in Prometheus's text form.
pub fn render(mailboxes: &[Mailbox]) -> String {
    let mut page = String::with_capacity(mailboxes.len() * FIGURES.len() * 64 + 1_024);
    for (name, help, value) in FIGURES {
        let written = write!(page, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        written.expect("a text takes all that is written to it");
        for mailbox in mailboxes {
            // An organ id holds letters, digits, dots and hyphens only, so nothing is to be escaped.
            writeln!(page, "{name}{{organ=\"{}\"}} {}", mailbox.organ, value(mailbox))
                .expect("a text takes all that is written to it");
        }
    }
    page
}
