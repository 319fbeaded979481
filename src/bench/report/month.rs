//! The report of a month of the whole country.

use serde::Serialize;

use super::Conditions;
use super::dossiers::checks as step_checks;
use super::table::{Rows, checks, ms, rows};
use crate::bench::latency::Percentiles;
use crate::bench::month::{Played, organs};
use crate::bench::set_up::SetUp;
use crate::bench::verdict::Verdict;

/// A share of the month, and how long it took.
#[derive(Debug, Serialize)]
pub struct MonthReport {
    #[serde(flatten)]
    pub(super) conditions: Conditions,
    set_up: SetUp,
    scale: f64,
    sent_documents: u64,
    document_bytes: u64,
    steps: u64,
    took_s: f64,
    times_real_time: f64,
    documents_per_s: f64,
    steps_per_s: f64,
    document_latency_ms: Percentiles,
    step_latency_ms: Percentiles,
    gateway_cpu_s: f64,
    gateway_rss_mb: f64,
    document_checks: Verdict,
    step_checks: Verdict,
    pub(super) verified: bool,
}

impl MonthReport {
    /// Of what was played.
    pub fn of(conditions: Conditions, set_up: SetUp, scale: f64, played: &Played) -> Self {
        let Played { documents, steps, bytes, took, times } = played;
        Self {
            conditions,
            set_up,
            scale,
            sent_documents: documents.documents,
            document_bytes: *bytes,
            steps: steps.documents,
            took_s: took.as_secs_f64(),
            times_real_time: *times,
            documents_per_s: documents.throughput_per_s(),
            steps_per_s: steps.throughput_per_s(),
            document_latency_ms: documents.end_latency.percentiles(),
            step_latency_ms: steps.end_latency.percentiles(),
            gateway_cpu_s: documents.gateway_cpu.as_secs_f64(),
            gateway_rss_mb: documents.gateway_rss_peak_bytes as f64 / 1_048_576.0,
            document_checks: documents.verdict.clone(),
            step_checks: steps.verdict.clone(),
            verified: documents.verdict.verified && steps.verdict.verified,
        }
    }

    pub(super) fn condition_rows(&self) -> Rows {
        let mut all = self.conditions.machine_rows();
        let others = organs() - 1;
        all.extend(rows([
            ("set-up", format!("{} ({})", self.set_up.name(), self.set_up.made_of())),
            (
                "load",
                format!(
                    "April 2025 times {}: 1,259,499 documents, 1.6 million dossiers of six steps",
                    self.scale
                ),
            ),
            (
                "organs",
                format!(
                    "{}, each writes to all others; {others} publish dossiers, one is the portal",
                    organs()
                ),
            ),
            (
                "documents",
                "45 % of 2 to 8 KiB, 35 % to 64 KiB, 17 % to 512 KiB, 3 % to 2 MiB (assumed)".to_owned(),
            ),
            ("steps", "300 bytes, those of a dossier in order, all followed by the portal".to_owned()),
        ]));
        all
    }

    pub(super) fn rows(&self) -> Rows {
        let mib = self.document_bytes as f64 / 1_048_576.0;
        rows([
            (
                "documents",
                format!(
                    "{}, {mib:.0} MiB; {:.0} documents/s, {:.0} MiB/s",
                    self.sent_documents,
                    self.documents_per_s,
                    mib / self.took_s
                ),
            ),
            ("  submitted to receipt", ms(self.document_latency_ms)),
            ("steps of dossiers", format!("{}; {:.0} steps/s", self.steps, self.steps_per_s)),
            ("  published to seen", ms(self.step_latency_ms)),
            (
                "gateway's process",
                format!(
                    "{:.2} s of processor time, {:.0} MiB at most",
                    self.gateway_cpu_s, self.gateway_rss_mb
                ),
            ),
            ("checked", checks(&self.document_checks)),
            ("", step_checks(&self.step_checks)),
            ("verified", self.verified.to_string()),
            ("took", format!("{:.1} s", self.took_s)),
            ("faster than real time", format!("{:.0} times", self.times_real_time)),
        ])
    }
}
