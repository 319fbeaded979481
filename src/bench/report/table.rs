//! Reports for people: the whole set-up first, because the figures mean nothing without it.

use std::fmt;

use comfy_table::{Table, presets};

use super::{Conditions, Report, StalledReport, WaitingReport};
use crate::bench::latency::Percentiles;
use crate::bench::verdict::Verdict;

/// Names and values.
pub(super) type Rows = Vec<(String, String)>;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (conditions, rows) = match self {
            Self::Exchange(report) => (report.conditions.rows(), report.rows()),
            Self::Waiting(report) => (report.conditions.rows(), report.rows()),
            Self::Stalled(report) => (report.conditions.rows(), report.rows()),
            Self::Mailboxes(report) => (report.conditions.rows(), report.rows()),
            Self::Dossiers(report) => (report.condition_rows(), report.rows()),
            Self::Month(report) => (report.condition_rows(), report.rows()),
        };
        writeln!(f, "{}", table(&conditions))?;
        write!(f, "{}", table(&rows))?;
        match self {
            Self::Exchange(report) => report.ratios().map_or(Ok(()), |ratios| write!(f, "\n{ratios}")),
            Self::Waiting(_) | Self::Stalled(_) | Self::Mailboxes(_) | Self::Dossiers(_) | Self::Month(_) => {
                Ok(())
            }
        }
    }
}

fn table(rows: &Rows) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_BORDERS_ONLY);
    for (name, value) in rows {
        table.add_row([name, value]);
    }
    table
}

impl Conditions {
    /// How much is sent: so many of these, or for so long.
    pub(super) fn amount(&self, of: &str) -> String {
        match (self.documents, self.seconds) {
            (Some(count), _) => format!("{count} {of}"),
            (None, seconds) => format!("{} s", seconds.unwrap_or_default()),
        }
    }

    /// What it ran on.
    pub(super) fn machine_rows(&self) -> Rows {
        let machine = &self.machine;
        rows([
            ("truc", self.version.to_owned()),
            ("processors", format!("{} x {}", machine.cpus, machine.cpu_model)),
            ("kernel", format!("Linux {}", machine.kernel)),
            ("memory", format!("{} MiB", machine.memory_mb)),
            ("data", format!("{}, fdatasync {:.3} ms (median)", machine.file_system, machine.fdatasync_ms)),
            ("seed", self.seed.to_string()),
        ])
    }

    fn rows(&self) -> Rows {
        let amount = self.amount("documents");
        let pace = self
            .rate_per_s
            .map_or("as fast as the windows allow".to_owned(), |rate| format!("{rate} a second"));
        let mut all = self.machine_rows();
        all.extend(rows([
            ("load", format!("{amount} of {} bytes, {pace}, {} rounds", self.size_bytes, self.rounds)),
            ("organs", format!("{}, each sends and collects", self.organs)),
            (
                "window",
                format!(
                    "{0} documents of each organ on their way, to the receipt (RabbitMQ: to the confirm); {0} unsettled",
                    self.window
                ),
            ),
            ("client processes", self.client_processes.to_string()),
        ]));
        all
    }
}

impl WaitingReport {
    fn rows(&self) -> Rows {
        rows([
            ("waiting deliveries", format!("{}, filled at {}", self.waiting, rate(self.fill_per_s))),
            ("memory before", format!("{:.0} MiB", self.rss_before_mb)),
            ("memory when filled", format!("{:.0} MiB", self.rss_filled_mb)),
            ("growth", format!("{:.0} MiB", self.rss_growth_mb)),
            ("restart to ready", format!("{:.2} s, {:.0} MiB", self.ready_in_s, self.rss_restarted_mb)),
            (
                "others' throughput",
                format!("{} ({})", rate(self.throughput_per_s), rates(&self.rounds_per_s)),
            ),
            ("empty gateway's", format!("{} ({})", rate(self.empty_per_s), rates(&self.empty_rounds_per_s))),
            (
                "memory then",
                format!("{:.0} MiB; {:.0} MiB of the empty one", self.rss_loaded_mb, self.rss_empty_mb),
            ),
            ("others / empty", format!("{:.2}", self.ratio)),
            ("checked", checks(&self.verdict)),
            ("verified", self.verdict.verified.to_string()),
        ])
    }
}

impl StalledReport {
    fn rows(&self) -> Rows {
        rows([
            ("burden", format!("{} collectors that never settle, one slow one", self.stalled)),
            (
                "others' throughput",
                format!("{} ({})", rate(self.throughput_per_s), rates(&self.rounds_per_s)),
            ),
            ("others' latency", ms(self.latency_ms)),
            ("without the burden", format!("{} ({})", rate(self.free_per_s), rates(&self.free_rounds_per_s))),
            ("latency without", ms(self.free_latency_ms)),
            ("with / without", format!("{:.2}", self.ratio)),
            ("checked", checks(&self.verdict)),
            ("verified", self.verdict.verified.to_string()),
        ])
    }
}

pub(super) fn rows<const N: usize>(rows: [(&str, String); N]) -> Rows {
    rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn rate(per_s: f64) -> String {
    format!("{per_s:.0} documents/s")
}

pub(super) fn rates(rounds: &[f64]) -> String {
    rounds.iter().map(|per_s| format!("{per_s:.0}")).collect::<Vec<_>>().join(", ")
}

pub(super) fn ms(Percentiles { p50, p99, p999 }: Percentiles) -> String {
    format!("p50 {p50:.1} ms, p99 {p99:.1} ms, p99.9 {p999:.1} ms")
}

pub(super) fn checks(verdict: &Verdict) -> String {
    let counts = format!(
        "{} submitted, {} accepted, {} received, {} with all receipts",
        verdict.submitted, verdict.accepted, verdict.received, verdict.receipted
    );
    counts + &faults(verdict)
}

/// What was not as it should be, if anything.
pub(super) fn faults(verdict: &Verdict) -> String {
    let mut told = String::new();
    for (count, what) in [
        (verdict.duplicates, "duplicates"),
        (verdict.redelivered, "redelivered"),
        (verdict.altered, "altered"),
        (verdict.foreign, "foreign"),
        (verdict.deferred, "deferred"),
        (verdict.resubmitted, "resubmitted"),
        (verdict.unsettled, "settlements refused"),
        (verdict.faults, "faults"),
    ] {
        if count > 0 {
            told += &format!(", {count} {what}");
        }
    }
    for fault in &verdict.first_faults {
        told += &format!("\n- {fault}");
    }
    told
}
