//! Figures of each mailbox and of each consumer of dossiers, on a path of their own: an organ is a label here, which `/metrics` never has. Names and path follow
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

/// What is shown of one share of a consumer of dossiers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Consumer {
    /// The organ id.
    pub organ: String,
    /// The name the organ has given it.
    pub name: String,
    /// Which share, from 0.
    pub share: u32,
    /// Events of the log it is not done with, wanted or not.
    pub behind: u64,
    /// Age of the first of them.
    pub behind_for: Duration,
}

type Value<T> = fn(&T) -> f64;

/// Name, help and value of each figure.
pub const FIGURES: &[(&str, &str, Value<Mailbox>)] = &[
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

/// The same of each share of a consumer.
pub const CONSUMER_FIGURES: &[(&str, &str, Value<Consumer>)] = &[
    (
        "truc_dossier_consumer_lag_events",
        "Events of the log of dossiers a consumer's share is not done with.",
        |c| c.behind as f64,
    ),
    (
        "truc_dossier_consumer_lag_seconds",
        "Age of the first event of the log of dossiers a consumer's share is not done with; 0 when it is done with all.",
        |c| c.behind_for.as_secs_f64(),
    ),
];

/// The figures of mailboxes in Prometheus's text form. An organ id holds letters, digits, dots and hyphens only, so nothing is to be escaped.
pub fn render(mailboxes: &[Mailbox]) -> String {
    page(FIGURES, mailboxes, |mailbox| format!("organ=\"{}\"", mailbox.organ))
}

/// The figures of consumers. Their names hold letters, digits, dots, hyphens and underscores only.
pub fn render_consumers(consumers: &[Consumer]) -> String {
    page(CONSUMER_FIGURES, consumers, |consumer| {
        format!("organ=\"{}\",consumer=\"{}\",share=\"{}\"", consumer.organ, consumer.name, consumer.share)
    })
}

fn page<T>(figures: &[(&str, &str, Value<T>)], objects: &[T], labels: impl Fn(&T) -> String) -> String {
    let mut page = String::with_capacity(objects.len() * figures.len() * 80 + 1_024);
    for (name, help, value) in figures {
        let written = write!(page, "# HELP {name} {help}\n# TYPE {name} gauge\n");
        written.expect("a text takes all that is written to it");
        for object in objects {
            writeln!(page, "{name}{{{}}} {}", labels(object), value(object))
                .expect("a text takes all that is written to it");
        }
    }
    page
}
