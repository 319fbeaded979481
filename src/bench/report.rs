//! What a measurement found: for programs as one JSON object, for people as a table.

use serde::Serialize;

use super::error::Error;
use super::latency::{Latency, Percentiles};
use super::machine::Machine;
use super::options::{Load, Options};
use super::plan::Amount;
use super::round::Round;
use super::verdict::Verdict;

mod dossiers;
mod exchange;
mod mailboxes;
mod month;
mod table;

pub use dossiers::{DossiersReport, LogFigures, LogRounds};
pub use exchange::{ExchangeReport, Figures};
pub use mailboxes::{MailboxesReport, Serving};
pub use month::MonthReport;

/// What a measurement found.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Report {
    /// Throughput and latency.
    Exchange(Box<ExchangeReport>),
    /// The cost of waiting deliveries.
    Waiting(Box<WaitingReport>),
    /// The cost of stalled collectors.
    Stalled(Box<StalledReport>),
    /// Many mailboxes at once.
    Mailboxes(Box<MailboxesReport>),
    /// The log of dossiers.
    Dossiers(Box<DossiersReport>),
    /// A month of the whole country.
    Month(Box<MonthReport>),
}

/// What was measured, on what.
#[derive(Clone, Debug, Serialize)]
pub struct Conditions {
    version: &'static str,
    machine: Machine,
    organs: usize,
    documents: Option<u64>,
    seconds: Option<f64>,
    rate_per_s: Option<f64>,
    size_bytes: usize,
    window: usize,
    client_processes: usize,
    seed: u64,
    rounds: usize,
}

/// The cost of waiting deliveries.
#[derive(Debug, Serialize)]
pub struct WaitingReport {
    #[serde(flatten)]
    pub(super) conditions: Conditions,
    pub(super) waiting: u64,
    pub(super) fill_per_s: f64,
    pub(super) rss_before_mb: f64,
    pub(super) rss_filled_mb: f64,
    pub(super) rss_growth_mb: f64,
    pub(super) rss_restarted_mb: f64,
    pub(super) rss_loaded_mb: f64,
    pub(super) rss_empty_mb: f64,
    pub(super) ready_in_s: f64,
    pub(super) throughput_per_s: f64,
    pub(super) empty_per_s: f64,
    pub(super) ratio: f64,
    pub(super) rounds_per_s: Vec<f64>,
    pub(super) empty_rounds_per_s: Vec<f64>,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
}

/// The cost of stalled collectors.
#[derive(Debug, Serialize)]
pub struct StalledReport {
    #[serde(flatten)]
    pub(super) conditions: Conditions,
    pub(super) stalled: usize,
    pub(super) throughput_per_s: f64,
    pub(super) free_per_s: f64,
    pub(super) ratio: f64,
    pub(super) latency_ms: Percentiles,
    pub(super) free_latency_ms: Percentiles,
    pub(super) rounds_per_s: Vec<f64>,
    pub(super) free_rounds_per_s: Vec<f64>,
    #[serde(flatten)]
    pub(super) verdict: Verdict,
}

impl Report {
    /// True when every document was as it has to be.
    pub fn verified(&self) -> bool {
        match self {
            Self::Exchange(report) => report.verified,
            Self::Waiting(report) => report.verdict.verified,
            Self::Stalled(report) => report.verdict.verified,
            Self::Mailboxes(report) => report.verdict.verified,
            Self::Dossiers(report) => report.verified,
            Self::Month(report) => report.verified,
        }
    }
}

impl Conditions {
    /// Looks at the machine and at what is asked for.
    pub fn of(options: &Options) -> Result<Self, Error> {
        let Load { organs, amount, rate_per_s, size, window, clients, seed } = options.load;
        let (documents, seconds) = match amount {
            Amount::Documents(documents) => (Some(documents), None),
            Amount::Time(time) => (None, Some(time.as_secs_f64())),
        };
        let machine = Machine::look(&options.data).map_err(Error::system(options.data.display()))?;
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            machine,
            organs,
            documents,
            seconds,
            rate_per_s,
            size_bytes: size,
            window,
            client_processes: clients,
            seed,
            rounds: options.rounds,
        })
    }
}

/// The throughput of each round.
pub fn per_s(rounds: &[Round]) -> Vec<f64> {
    rounds.iter().map(Round::throughput_per_s).collect()
}

/// The latency to the end, of all rounds together.
pub fn latency(rounds: &[Round]) -> Percentiles {
    merged(rounds, |round| &round.end_latency)
}

fn merged(rounds: &[Round], of: fn(&Round) -> &Latency) -> Percentiles {
    let mut all = Latency::default();
    rounds.iter().for_each(|round| all.merge(of(round)));
    all.percentiles()
}

fn checked(rounds: &[Round]) -> Verdict {
    let verdicts = rounds.iter().map(|round| round.verdict.clone());
    verdicts.reduce(|all, verdict| all.and(&verdict)).unwrap_or_default()
}
