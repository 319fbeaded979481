//! The report of many mailboxes served at once.

use std::time::Duration;

use serde::Serialize;

use super::Conditions;
use super::table::{Rows, checks, ms, rate, rows};
use crate::bench::latency::Percentiles;
use crate::bench::round::{Opening, Round};
use crate::bench::set_up::SetUp;
use crate::bench::verdict::Verdict;

/// Many mailboxes, when nothing was there yet and after a restart.
#[derive(Debug, Serialize)]
pub struct MailboxesReport {
    #[serde(flatten)]
    pub(in crate::bench) conditions: Conditions,
    pub(in crate::bench) set_up: SetUp,
    pub(in crate::bench) mailboxes: usize,
    pub(in crate::bench) connections: usize,
    pub(in crate::bench) first: Serving,
    pub(in crate::bench) again: Serving,
    #[serde(flatten)]
    pub(in crate::bench) verdict: Verdict,
}

/// From a start of the gateway to the end of a load.
#[derive(Clone, Debug, Serialize)]
pub struct Serving {
    ready_in_s: f64,
    connected_in_s: f64,
    served_in_s: f64,
    throughput_per_s: f64,
    latency_ms: Percentiles,
    gateway_rss_served_mb: f64,
    gateway_rss_mb: f64,
    gateway_cpu_s: f64,
    others_cpu_s: f64,
    #[serde(skip)]
    pub(in crate::bench) verdict: Verdict,
}

impl Serving {
    /// What a round at a gateway that took so long to start gave.
    pub fn of(ready_in: Duration, opening: &Opening, round: &Round) -> Self {
        let mib = |bytes: u64| bytes as f64 / 1_048_576.0;
        Self {
            ready_in_s: ready_in.as_secs_f64(),
            connected_in_s: opening.connected_in.as_secs_f64(),
            served_in_s: opening.served_in.as_secs_f64(),
            throughput_per_s: round.throughput_per_s(),
            latency_ms: round.end_latency.percentiles(),
            gateway_rss_served_mb: mib(opening.rss_peak_bytes),
            gateway_rss_mb: mib(round.gateway_rss_peak_bytes),
            gateway_cpu_s: round.gateway_cpu.as_secs_f64(),
            others_cpu_s: round.others_cpu.as_secs_f64(),
            verdict: round.verdict.clone(),
        }
    }

    fn rows(&self) -> [(&'static str, String); 7] {
        let (gateway, others) = (self.gateway_cpu_s, self.others_cpu_s);
        [
            ("start to ready", format!("{:.2} s", self.ready_in_s)),
            ("all collectors connected", format!("{:.1} s after the first", self.connected_in_s)),
            ("a document in each mailbox", format!("{:.1} s after the first", self.served_in_s)),
            ("memory until then", format!("{:.0} MiB at most", self.gateway_rss_served_mb)),
            ("throughput", rate(self.throughput_per_s)),
            ("latency to the receipt", ms(self.latency_ms)),
            (
                "gateway's process",
                format!(
                    "{gateway:.2} s of processor time, all others {others:.2} s; {:.0} MiB at most",
                    self.gateway_rss_mb
                ),
            ),
        ]
    }
}

impl MailboxesReport {
    pub(super) fn rows(&self) -> Rows {
        let set_up = format!("{} ({})", self.set_up.name(), self.set_up.made_of());
        let queues = if self.set_up.has_rabbitmq() {
            format!(", {} mailbox queues", 2 * self.mailboxes)
        } else {
            String::new()
        };
        let mut all = rows([
            ("set-up", set_up),
            (
                "mailboxes",
                format!(
                    "{}, each with a collector, on {} connections{queues}",
                    self.mailboxes, self.connections
                ),
            ),
            ("new", "nothing is there yet".to_owned()),
        ]);
        all.extend(rows(self.first.rows()));
        all.extend(rows([("restarted", "everything is there".to_owned())]));
        all.extend(rows(self.again.rows()));
        all.extend(rows([
            ("checked", checks(&self.verdict)),
            ("verified", self.verdict.verified.to_string()),
        ]));
        all
    }
}
