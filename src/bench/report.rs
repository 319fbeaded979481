//! What a measurement found: for programs as one JSON object, for people as a table.

use std::time::Duration;

use serde::Serialize;

use super::error::Error;
use super::latency::{Latency, Percentiles, median};
use super::machine::Machine;
use super::options::{Load, Options};
use super::plan::Amount;
use super::round::Round;
use super::verdict::Verdict;

mod table;

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

/// Throughput and latency. The medians of the rounds; latencies are those of all rounds together.
#[derive(Debug, Serialize)]
pub struct ExchangeReport {
    #[serde(flatten)]
    conditions: Conditions,
    tls: bool,
    throughput_per_s: f64,
    baseline_per_s: Option<f64>,
    ratio: Option<f64>,
    latency_ms: Percentiles,
    accept_latency_ms: Percentiles,
    baseline_latency_ms: Option<Percentiles>,
    baseline_confirm_latency_ms: Option<Percentiles>,
    gateway_rss_mb: Option<f64>,
    gateway_cpu_s: Option<f64>,
    clients_cpu_s: f64,
    baseline_clients_cpu_s: Option<f64>,
    verified: bool,
    checks: Verdict,
    baseline_checks: Option<Verdict>,
    rounds_per_s: Vec<f64>,
    baseline_rounds_per_s: Vec<f64>,
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

impl ExchangeReport {
    /// Sums up. `own` says that the gateway was started here, so that its process could be watched.
    pub fn of(conditions: Conditions, own: bool, rounds: &[Round], baseline: &[Round]) -> Self {
        let throughput_per_s = median(per_s(rounds));
        let measured = !baseline.is_empty();
        let baseline_per_s = measured.then(|| median(per_s(baseline)));
        let seconds = |of: fn(&Round) -> Duration, rounds: &[Round]| {
            median(rounds.iter().map(|round| of(round).as_secs_f64()))
        };
        let peak = rounds.iter().map(|round| round.gateway_rss_peak_bytes).max().unwrap_or_default();
        let (checks, baseline_checks) = (checked(rounds), checked(baseline));
        Self {
            conditions,
            tls: true,
            throughput_per_s,
            baseline_per_s,
            ratio: baseline_per_s.map(|baseline| throughput_per_s / baseline),
            latency_ms: latency(rounds),
            accept_latency_ms: merged(rounds, |round| &round.accept_latency),
            baseline_latency_ms: measured.then(|| latency(baseline)),
            baseline_confirm_latency_ms: measured.then(|| merged(baseline, |round| &round.accept_latency)),
            gateway_rss_mb: own.then_some(peak as f64 / 1_048_576.0),
            gateway_cpu_s: own.then(|| seconds(|round| round.gateway_cpu, rounds)),
            clients_cpu_s: seconds(|round| round.clients_cpu, rounds),
            baseline_clients_cpu_s: measured.then(|| seconds(|round| round.clients_cpu, baseline)),
            verified: checks.verified && (!measured || baseline_checks.verified),
            checks,
            baseline_checks: measured.then_some(baseline_checks),
            rounds_per_s: per_s(rounds),
            baseline_rounds_per_s: per_s(baseline),
        }
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
