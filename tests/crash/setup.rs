//! What a trial makes of each set-up: the places of its gateways, and what their callers may be told.

use crate::site::Site;
pub use crate::surroundings::{SetUp, Surroundings};

/// Retries come soon, so that there are many; none is ever given up; no sender is held back.
const SETTINGS: [&str; 5] = [
    "delivery.retry_delay_min = \"30ms\"",
    "delivery.retry_delay_max = \"300ms\"",
    "delivery.attempts_max = 100000",
    "limits.rate_per_s = 1000000",
    "limits.rate_burst = 1000000",
];

/// The gateways of the scale-out set-up.
const NODES: [&str; 2] = ["a", "b"];

impl SetUp {
    /// Reasons for which a call may fail while parts are killed: the ledger is another's process where it is PostgreSQL's.
    pub fn tolerated(self) -> &'static [&'static str] {
        match self {
            Self::Standalone | Self::Bridge => &[],
            Self::ScaleOut => &["LEDGER_UNAVAILABLE"],
        }
    }

    /// The places of the gateways.
    pub fn sites(self, around: &Surroundings) -> Vec<Site> {
        let mut site = Site::new(&SETTINGS);
        around.tell(&mut site);
        if self != Self::ScaleOut {
            return vec![site];
        }
        // A node that was killed is taken off soon.
        site.set("postgres.node_timeout = \"3s\"");
        let named = |name: &&str| {
            let mut site = site.beside(name);
            site.set(format!("gateway.node = {name:?}"));
            site
        };
        NODES.iter().map(named).collect()
    }
}
