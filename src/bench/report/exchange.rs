//! The report of throughput and latency: each set-up, and all of them beside the baseline.

use std::time::Duration;

use comfy_table::{Table, presets};
use serde::Serialize;

use super::table::{Rows, checks, ms, rate, rates, rows};
use super::{Conditions, checked, latency, merged, per_s};
use crate::bench::latency::{Percentiles, median};
use crate::bench::round::Round;
use crate::bench::set_up::SetUp;
use crate::bench::verdict::Verdict;

/// Throughput and latency of every set-up, and of the baseline.
#[derive(Debug, Serialize)]
pub struct ExchangeReport {
    #[serde(flatten)]
    pub(super) conditions: Conditions,
    tls: bool,
    #[serde(flatten)]
    measured: Measured,
    #[serde(flatten)]
    baseline: Option<Baseline>,
    pub(super) verified: bool,
}

/// The figures of one set-up stand in the report itself, those of several in a list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Measured {
    One(Box<Figures>),
    Several { set_ups: Vec<Figures> },
}

/// One set-up. The medians of the rounds; latencies are those of all rounds together.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    set_up: Option<SetUp>,
    throughput_per_s: f64,
    ratio: Option<f64>,
    latency_ms: Percentiles,
    accept_latency_ms: Percentiles,
    gateway_rss_mb: Option<f64>,
    gateway_cpu_s: Option<f64>,
    clients_cpu_s: f64,
    others_cpu_s: f64,
    documents_per_round: u64,
    rounds_per_s: Vec<f64>,
    checks: Verdict,
}

/// Plain RabbitMQ. Likewise.
#[derive(Debug, Serialize)]
struct Baseline {
    baseline_per_s: f64,
    baseline_latency_ms: Percentiles,
    baseline_confirm_latency_ms: Percentiles,
    baseline_clients_cpu_s: f64,
    baseline_others_cpu_s: f64,
    baseline_documents_per_round: u64,
    baseline_rounds_per_s: Vec<f64>,
    baseline_checks: Verdict,
}

fn seconds(of: fn(&Round) -> Duration, rounds: &[Round]) -> f64 {
    median(rounds.iter().map(|round| of(round).as_secs_f64()))
}

fn documents_per_round(rounds: &[Round]) -> u64 {
    median(rounds.iter().map(|round| round.documents as f64)) as u64
}

impl Figures {
    /// Of a gateway that was given, whose processes are not known.
    pub fn of_given(rounds: &[Round]) -> Self {
        Self {
            set_up: None,
            throughput_per_s: median(per_s(rounds)),
            ratio: None,
            latency_ms: latency(rounds),
            accept_latency_ms: merged(rounds, |round| &round.accept_latency),
            gateway_rss_mb: None,
            gateway_cpu_s: None,
            clients_cpu_s: seconds(|round| round.clients_cpu, rounds),
            others_cpu_s: seconds(|round| round.others_cpu, rounds),
            documents_per_round: documents_per_round(rounds),
            rounds_per_s: per_s(rounds),
            checks: checked(rounds),
        }
    }

    /// Of a set-up that was started here.
    pub fn of(set_up: SetUp, rounds: &[Round]) -> Self {
        let peak = rounds.iter().map(|round| round.gateway_rss_peak_bytes).max().unwrap_or_default();
        Self {
            set_up: Some(set_up),
            gateway_rss_mb: Some(peak as f64 / 1_048_576.0),
            gateway_cpu_s: Some(seconds(|round| round.gateway_cpu, rounds)),
            ..Self::of_given(rounds)
        }
    }

    fn name(&self) -> String {
        self.set_up.map_or_else(|| "gateway".to_owned(), SetUp::name)
    }

    fn made_of(&self) -> &'static str {
        self.set_up.map_or("", SetUp::made_of)
    }

    fn rows(&self) -> Rows {
        let made_of = self.set_up.map(|set_up| format!("{}; ", set_up.made_of())).unwrap_or_default();
        let steps = "submit -> durable -> delivered -> settled -> receipt seen; mutual TLS 1.3";
        let mut rows = rows([
            (self.name().as_str(), format!("{made_of}{steps}")),
            ("throughput", format!("{} ({})", rate(self.throughput_per_s), rates(&self.rounds_per_s))),
            ("latency to the receipt", ms(self.latency_ms)),
            ("latency to the answer", ms(self.accept_latency_ms)),
        ]);
        let mut add = |name: &str, value: String| rows.push((name.to_owned(), value));
        if let (Some(cpu), Some(rss)) = (self.gateway_cpu_s, self.gateway_rss_mb) {
            let nodes = self.set_up.map_or(1, SetUp::nodes);
            let (of, each) = if nodes > 1 { ("nodes'", " each") } else { ("gateway's", "") };
            add(&format!("{of} processor time"), format!("{cpu:.2} s, {rss:.0} MiB{each} at most"));
        }
        add("client processes", format!("{:.2} s of processor time", self.clients_cpu_s));
        add("all others", format!("{:.2} s of processor time", self.others_cpu_s));
        add("checked", checks(&self.checks));
        rows
    }
}

impl Baseline {
    fn of(rounds: &[Round]) -> Self {
        Self {
            baseline_per_s: median(per_s(rounds)),
            baseline_latency_ms: latency(rounds),
            baseline_confirm_latency_ms: merged(rounds, |round| &round.accept_latency),
            baseline_clients_cpu_s: seconds(|round| round.clients_cpu, rounds),
            baseline_others_cpu_s: seconds(|round| round.others_cpu, rounds),
            baseline_documents_per_round: documents_per_round(rounds),
            baseline_rounds_per_s: per_s(rounds),
            baseline_checks: checked(rounds),
        }
    }

    fn rows(&self) -> Rows {
        let steps = "publish -> confirmed, delivered -> acknowledged; quorum queues, no TLS";
        let throughput = format!("{} ({})", rate(self.baseline_per_s), rates(&self.baseline_rounds_per_s));
        rows([
            ("RabbitMQ", steps.to_owned()),
            ("throughput", throughput),
            ("latency to the acknowledgement", ms(self.baseline_latency_ms)),
            ("latency to the confirm", ms(self.baseline_confirm_latency_ms)),
            ("client processes", format!("{:.2} s of processor time", self.baseline_clients_cpu_s)),
            ("all others", format!("{:.2} s of processor time", self.baseline_others_cpu_s)),
            ("checked", checks(&self.baseline_checks)),
        ])
    }
}

impl ExchangeReport {
    /// Sums up.
    pub fn of(conditions: Conditions, mut measured: Vec<Figures>, baseline: &[Round]) -> Self {
        let baseline = (!baseline.is_empty()).then(|| Baseline::of(baseline));
        for figures in &mut measured {
            figures.ratio =
                baseline.as_ref().map(|baseline| figures.throughput_per_s / baseline.baseline_per_s);
        }
        let verified = measured.iter().all(|figures| figures.checks.verified)
            && baseline.as_ref().is_none_or(|baseline| baseline.baseline_checks.verified);
        let measured = match <[Figures; 1]>::try_from(measured) {
            Ok([figures]) => Measured::One(Box::new(figures)),
            Err(set_ups) => Measured::Several { set_ups },
        };
        Self { conditions, tls: true, measured, baseline, verified }
    }

    fn figures(&self) -> &[Figures] {
        match &self.measured {
            Measured::One(figures) => std::slice::from_ref(figures),
            Measured::Several { set_ups } => set_ups,
        }
    }

    pub(super) fn rows(&self) -> Rows {
        let mut rows: Rows = self.figures().iter().flat_map(Figures::rows).collect();
        rows.extend(self.baseline.iter().flat_map(Baseline::rows));
        rows.push(("verified".to_owned(), self.verified.to_string()));
        rows
    }

    /// All ratios in one table; none where there is nothing to compare.
    pub(super) fn ratios(&self) -> Option<Table> {
        if self.baseline.is_none() && self.figures().len() < 2 {
            return None;
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        let per_document = "µs of processor time a document:";
        table.set_header(["", "", "documents/s", "ratio", "p50 ms", "p99 ms", per_document]);
        for figures in self.figures() {
            let cpus = [
                ("gateway", figures.gateway_cpu_s),
                ("clients", Some(figures.clients_cpu_s)),
                ("others", Some(figures.others_cpu_s)),
            ];
            table.add_row([
                figures.name(),
                figures.made_of().to_owned(),
                format!("{:.0}", figures.throughput_per_s),
                figures.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
                format!("{:.0}", figures.latency_ms.p50),
                format!("{:.0}", figures.latency_ms.p99),
                micros(&cpus, figures.documents_per_round),
            ]);
        }
        if let Some(baseline) = &self.baseline {
            let cpus = [
                ("clients", Some(baseline.baseline_clients_cpu_s)),
                ("others", Some(baseline.baseline_others_cpu_s)),
            ];
            table.add_row([
                "raw RabbitMQ".to_owned(),
                String::new(),
                format!("{:.0}", baseline.baseline_per_s),
                "1.00".to_owned(),
                format!("{:.0}", baseline.baseline_latency_ms.p50),
                format!("{:.0}", baseline.baseline_latency_ms.p99),
                micros(&cpus, baseline.baseline_documents_per_round),
            ]);
        }
        Some(table)
    }
}

fn micros(cpus: &[(&str, Option<f64>)], documents: u64) -> String {
    let told = cpus.iter().filter_map(|(who, cpu_s)| {
        let micros = (*cpu_s)? * 1e6 / documents.max(1) as f64;
        Some(format!("{who} {micros:.0}"))
    });
    told.collect::<Vec<_>>().join(", ")
}
