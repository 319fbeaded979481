//! What is measured.

use std::path::PathBuf;
use std::time::Duration;

use super::dossiers::{LogLoad, Steps};
use super::error::Error;
use super::plan::{Amount, Door};
use super::roll::COUNTRY_MIN;
use super::set_up::SetUp;
use crate::domain::limits::{PAYLOAD_BYTES_CEILING, WINDOW_MAX};

/// Most documents of a warm-up, and the longest one.
const WARM_UP_DOCUMENTS_MAX: u64 = 10_000;
const WARM_UP_TIME_MAX: Duration = Duration::from_secs(5);
/// Most organs.
const ORGANS_MAX: usize = 2_000;
/// Most mailboxes.
const MAILBOXES_MAX: usize = 10_000;
/// Steps of dossiers: bytes of each, on their way from one publisher, and stored before.
const STEP_BYTES: std::ops::RangeInclusive<usize> = 200..=1_100;
const STEPS_WINDOW_MAX: usize = 8_000;
const STORED_MAX: u64 = 100_000_000;
/// Shares of a month.
const SCALES: std::ops::RangeInclusive<f64> = 1e-5..=10.0;
/// Most nodes of a set-up.
const NODES_MAX: usize = 16;

/// The load of a measurement.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Organs that write to each other.
    pub organs: usize,
    /// How much they send.
    pub amount: Amount,
    /// Documents a second by all together; without it, as fast as the windows allow.
    pub rate_per_s: Option<f64>,
    /// Payload bytes of a document.
    pub size: usize,
    /// Documents one organ has on their way, and deliveries it holds unsettled.
    pub window: usize,
    /// Client processes.
    pub clients: usize,
    /// What documents and their recipients follow from.
    pub seed: u64,
}

/// A measurement.
#[derive(Clone, Debug)]
pub struct Options {
    /// The load.
    pub load: Load,
    /// Measurements of each kind; the median counts.
    pub rounds: usize,
    /// Where the folder of a gateway's data is made.
    pub data: PathBuf,
    /// The set-ups that are measured, in turn.
    pub set_ups: Vec<SetUp>,
    /// A gateway that is there, in place of those that are started.
    pub given: Option<Door>,
    /// A RabbitMQ node, for the set-ups that have one, and to be measured itself in turn with the gateway.
    pub rabbitmq: Option<String>,
    /// A PostgreSQL server, for the set-ups that have one.
    pub postgres: Option<String>,
    /// What is measured.
    pub subject: Subject,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Subject {
    /// Throughput and latency.
    Exchange,
    /// What so many deliveries that wait for an absent organ cost.
    Waiting(u64),
    /// What so many collectors that never settle cost the others.
    Stalled(usize),
    /// So many mailboxes served at once.
    Mailboxes(usize),
    /// The log of dossiers.
    Dossiers(LogLoad),
    /// Such a share of a month of the whole country.
    Month(f64),
}

impl Load {
    /// What is sent before figures count: a tenth.
    pub fn warm_up(&self) -> Amount {
        match self.amount {
            Amount::Documents(documents) => Amount::Documents((documents / 10).min(WARM_UP_DOCUMENTS_MAX)),
            Amount::Time(time) => Amount::Time((time / 10).min(WARM_UP_TIME_MAX)),
        }
    }
}

impl Options {
    /// Says what cannot be measured.
    pub fn check(&self) -> Result<(), Error> {
        let Load { organs, amount, rate_per_s, size, window, clients, .. } = self.load;
        let enough = match amount {
            Amount::Documents(documents) => documents > 0,
            Amount::Time(time) => time > Duration::ZERO,
        };
        let (fewest, window_max, sizes) = match self.subject {
            Subject::Dossiers(_) => (1, STEPS_WINDOW_MAX, STEP_BYTES),
            _ => (2, WINDOW_MAX as usize, 1..=PAYLOAD_BYTES_CEILING),
        };
        for (holds, what) in [
            ((fewest..=ORGANS_MAX).contains(&organs), format!("--organs is {fewest} to {ORGANS_MAX}")),
            ((1..=window_max).contains(&window), format!("--window is 1 to {window_max}")),
            (sizes.contains(&size), format!("--size is {} to {}", sizes.start(), sizes.end())),
            ((1..=organs).contains(&clients), "--clients is 1 to the number of organs".to_owned()),
            (enough, "there is nothing to send".to_owned()),
            (
                rate_per_s.is_none_or(|rate| (0.001..=1e7).contains(&rate)),
                "--rate is 0.001 to 10,000,000".to_owned(),
            ),
            ((1..=100).contains(&self.rounds), "--rounds is 1 to 100".to_owned()),
        ] {
            if !holds {
                return Err(Error::Impossible(what));
            }
        }
        self.check_set_ups()?;
        self.check_subject()
    }

    fn check_set_ups(&self) -> Result<(), Error> {
        let impossible = |what: String| Err(Error::Impossible(what));
        if self.given.is_some() {
            return Ok(());
        }
        for set_up in &self.set_ups {
            let name = set_up.name();
            if !(1..=NODES_MAX).contains(&set_up.nodes()) {
                return impossible(format!("--nodes is 1 to {NODES_MAX}"));
            }
            if set_up.has_rabbitmq() && self.rabbitmq.is_none() {
                return impossible(format!("{name} needs --rabbitmq"));
            }
            if set_up.has_postgres() && self.postgres.is_none() {
                return impossible(format!("{name} needs --postgres"));
            }
        }
        Ok(())
    }

    fn check_subject(&self) -> Result<(), Error> {
        let impossible = |what: &str| Err(Error::Impossible(what.to_owned()));
        match self.subject {
            Subject::Exchange => Ok(()),
            Subject::Waiting(_) | Subject::Stalled(_) if self.set_ups != [SetUp::Standalone] => {
                impossible("--waiting and --stalled are measured in the set-up standalone")
            }
            Subject::Waiting(_) | Subject::Stalled(_) => Ok(()),
            Subject::Mailboxes(_) if self.set_ups.len() != 1 => {
                impossible("--mailboxes are measured in one set-up at a time")
            }
            Subject::Mailboxes(mailboxes) if !(COUNTRY_MIN..=MAILBOXES_MAX).contains(&mailboxes) => {
                impossible(&format!("--mailboxes is {COUNTRY_MIN} to {MAILBOXES_MAX}"))
            }
            Subject::Mailboxes(_) => Ok(()),
            Subject::Dossiers(LogLoad { open, .. }) if !Steps::can_be_open(open) => {
                impossible("--open is 1 to 1,000,000, and no multiple of 7,919")
            }
            Subject::Dossiers(LogLoad { stored, .. }) if stored > STORED_MAX => {
                impossible(&format!("--stored is at most {STORED_MAX}"))
            }
            Subject::Dossiers(_) => Ok(()),
            Subject::Month(_) if self.set_ups.len() != 1 => {
                impossible("--profile is measured in one set-up at a time")
            }
            Subject::Month(scale) if !SCALES.contains(&scale) => {
                impossible(&format!("--scale is {} to {}", SCALES.start(), SCALES.end()))
            }
            Subject::Month(_) => Ok(()),
        }
    }
}
