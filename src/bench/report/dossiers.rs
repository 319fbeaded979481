//! The report of the log of dossiers: each set-up, beside plain RabbitMQ and beside itself.

use std::time::Duration;

use serde::Serialize;

use super::table::{Rows, faults, ms, rates, rows};
use super::{Conditions, checked, latency, merged, per_s};
use crate::bench::dossiers::{LogLoad, STEPS_EACH};
use crate::bench::latency::{Percentiles, median};
use crate::bench::round::Round;
use crate::bench::set_up::SetUp;
use crate::bench::verdict::Verdict;

/// The log of dossiers.
#[derive(Debug, Serialize)]
pub struct DossiersReport {
    #[serde(flatten)]
    pub(in crate::bench) conditions: Conditions,
    open_dossiers: u64,
    steps_each: u64,
    stored: u64,
    set_ups: Vec<LogFigures>,
    baseline: Option<Baseline>,
    pub(super) verified: bool,
}

/// What was measured of one set-up.
#[derive(Default)]
pub struct LogRounds {
    /// Publishing and following, from an empty log on.
    pub live: Vec<Round>,
    /// Reading that log from its start.
    pub read: Vec<Round>,
    /// Storing steps beforehand.
    pub fill: Option<Round>,
    /// Publishing and following with those stored.
    pub stored: Vec<Round>,
    /// Reading all of these from the start.
    pub past: Option<Round>,
}

/// One set-up. Medians of the rounds.
#[derive(Debug, Serialize)]
pub struct LogFigures {
    set_up: SetUp,
    live: Live,
    /// Steps a second, read from the start.
    read_per_s: f64,
    read_rounds_per_s: Vec<f64>,
    /// Reading by publishing.
    read_ratio: f64,
    stored: Option<Stored>,
    /// Publishing by RabbitMQ.
    ratio: Option<f64>,
    checks: Verdict,
}

#[derive(Debug, Serialize)]
struct Live {
    per_s: f64,
    rounds_per_s: Vec<f64>,
    latency_ms: Percentiles,
    answer_latency_ms: Percentiles,
    /// Microseconds of processor time a step.
    server_us: f64,
    clients_us: f64,
    others_us: f64,
    server_rss_mb: f64,
}

#[derive(Debug, Serialize)]
struct Stored {
    fill_per_s: f64,
    live: Live,
    /// By that of an empty log.
    ratio: f64,
    past_events: u64,
    past_per_s: f64,
    /// Reading the past by publishing.
    past_ratio: f64,
}

#[derive(Debug, Serialize)]
struct Baseline {
    live: Live,
    checks: Verdict,
}

impl Live {
    fn of(rounds: &[Round]) -> Self {
        let each = |of: fn(&Round) -> Duration| {
            let spent =
                rounds.iter().map(|round| of(round).as_secs_f64() * 1e6 / round.documents.max(1) as f64);
            median(spent)
        };
        let peak = rounds.iter().map(|round| round.gateway_rss_peak_bytes).max().unwrap_or_default();
        Self {
            per_s: median(per_s(rounds)),
            rounds_per_s: per_s(rounds),
            latency_ms: latency(rounds),
            answer_latency_ms: merged(rounds, |round| &round.accept_latency),
            server_us: each(|round| round.gateway_cpu),
            clients_us: each(|round| round.clients_cpu),
            others_us: each(|round| round.others_cpu),
            server_rss_mb: peak as f64 / 1_048_576.0,
        }
    }

    fn rows(&self, what: &str) -> Rows {
        let Self { server_us, clients_us, others_us, .. } = self;
        let mut spent = format!("clients {clients_us:.1}, all others {others_us:.1}");
        if self.server_rss_mb > 0.0 {
            let memory = format!("; {:.0} MiB at most", self.server_rss_mb);
            spent = format!("gateway {server_us:.1}, {spent}{memory}");
        }
        rows([
            (what, rate(self.per_s, &self.rounds_per_s)),
            ("  published to seen", ms(self.latency_ms)),
            ("  published to answered", ms(self.answer_latency_ms)),
            ("  µs of processor time a step", spent),
        ])
    }
}

impl LogFigures {
    /// Of what was measured of a set-up.
    pub fn of(set_up: SetUp, rounds: &LogRounds) -> Self {
        let LogRounds { live, read, fill, stored, past } = rounds;
        let measured = Live::of(live);
        let read_per_s = median(per_s(read));
        let all = [live, read, stored].into_iter().flatten().chain(fill).chain(past);
        let stored = fill.as_ref().zip(past.as_ref()).map(|(fill, past)| {
            let live = Live::of(stored);
            Stored {
                fill_per_s: fill.throughput_per_s(),
                ratio: live.per_s / measured.per_s,
                past_events: past.documents,
                past_per_s: past.throughput_per_s(),
                past_ratio: past.throughput_per_s() / live.per_s,
                live,
            }
        });
        let checks = all.map(|round| round.verdict.clone()).reduce(|all, verdict| all.and(&verdict));
        Self {
            set_up,
            read_ratio: read_per_s / measured.per_s,
            live: measured,
            read_per_s,
            read_rounds_per_s: per_s(read),
            stored,
            ratio: None,
            checks: checks.unwrap_or_default(),
        }
    }

    fn rows(&self, steps: u64) -> Rows {
        let mut all = rows([(
            self.set_up.name().as_str(),
            format!("{}; publish -> durable -> answered and seen; mutual TLS 1.3", self.set_up.made_of()),
        )]);
        all.extend(self.live.rows("published and followed"));
        all.extend(rows([
            ("read from the start", rate(self.read_per_s, &self.read_rounds_per_s)),
            ("read / published", format!("{:.2}", self.read_ratio)),
        ]));
        if let Some(stored) = &self.stored {
            all.extend(rows([(
                format!("with {steps} steps stored").as_str(),
                format!("stored at {}", rate(stored.fill_per_s, &[])),
            )]));
            all.extend(stored.live.rows("published and followed"));
            all.extend(rows([
                ("with them / without", format!("{:.2}", stored.ratio)),
                (
                    "read from the start",
                    format!("{}, {} steps", rate(stored.past_per_s, &[]), stored.past_events),
                ),
                ("read / published", format!("{:.2}", stored.past_ratio)),
            ]));
        }
        all.extend(rows([("checked", checks(&self.checks))]));
        all
    }
}

impl DossiersReport {
    /// Of all that was measured.
    pub fn of(conditions: Conditions, load: LogLoad, set_ups: Vec<LogFigures>, baseline: &[Round]) -> Self {
        let baseline =
            (!baseline.is_empty()).then(|| Baseline { live: Live::of(baseline), checks: checked(baseline) });
        let beside = baseline.as_ref().map(|baseline| baseline.live.per_s);
        let verified = set_ups.iter().all(|figures| figures.checks.verified)
            && baseline.as_ref().is_none_or(|baseline| baseline.checks.verified);
        let with_ratio = |figures: LogFigures| LogFigures {
            ratio: beside.map(|beside| figures.live.per_s / beside),
            ..figures
        };
        Self {
            conditions,
            open_dossiers: load.open,
            steps_each: STEPS_EACH,
            stored: load.stored,
            set_ups: set_ups.into_iter().map(with_ratio).collect(),
            baseline,
            verified,
        }
    }

    pub(super) fn condition_rows(&self) -> Rows {
        let Conditions { organs, window, client_processes, size_bytes, rounds: times, .. } = &self.conditions;
        let mut all = self.conditions.machine_rows();
        all.extend(rows([
            ("load", format!("{} of {size_bytes} bytes, {times} rounds", self.conditions.amount("steps"))),
            (
                "dossiers",
                format!(
                    "{} steps each; each publisher has {} in hand and gives them their steps in turns, each time in another order",
                    self.steps_each, self.open_dossiers
                ),
            ),
            ("publishers", format!("{organs}, in {client_processes} processes; one follows, in another")),
            ("window", format!("{window} steps of each publisher without an answer (RabbitMQ: a confirm)")),
        ]));
        all
    }

    pub(super) fn rows(&self) -> Rows {
        let mut all: Rows = self.set_ups.iter().flat_map(|figures| figures.rows(self.stored)).collect();
        if let Some(Baseline { live, checks: checked }) = &self.baseline {
            let what = "publish -> confirmed, delivered -> acknowledged; a quorum queue, no TLS";
            all.extend(rows([("RabbitMQ", what.to_owned())]));
            all.extend(live.rows("published and consumed"));
            all.extend(rows([("checked", checks(checked))]));
        }
        for figures in &self.set_ups {
            if let Some(ratio) = figures.ratio {
                let name = format!("{} / RabbitMQ", figures.set_up.name());
                all.extend(rows([(name.as_str(), format!("{ratio:.2}"))]));
            }
        }
        all.extend(rows([("verified", self.verified.to_string())]));
        all
    }
}

/// Steps a second, and of each round where there are several.
pub(super) fn rate(per_s: f64, rounds: &[f64]) -> String {
    match rounds {
        [] | [_] => format!("{per_s:.0} steps/s"),
        _ => format!("{per_s:.0} steps/s ({})", rates(rounds)),
    }
}

/// What was checked of steps.
pub(super) fn checks(verdict: &Verdict) -> String {
    let Verdict { submitted, accepted, received, .. } = verdict;
    format!(
        "{submitted} published, {accepted} answered, {received} seen, once and in order{}",
        faults(verdict)
    )
}
