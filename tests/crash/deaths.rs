//! How often what was killed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// A way to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Death {
    GatewayKilled,
    GatewayKilledWhileStarting,
    RabbitMqKilled,
    RabbitMqStopped,
    PostgresStoppedAtOnce,
}

/// The deaths of one trial, and what they left behind.
#[derive(Default)]
pub struct Deaths {
    counts: Mutex<BTreeMap<Death, usize>>,
    /// Deliveries that were on connections when their gateway was killed, as the next ones found them.
    recovered: AtomicU64,
    /// Starts of a gateway that failed because its ledger was away.
    failed_starts: AtomicUsize,
}

impl Deaths {
    pub fn note(&self, death: Death) {
        *self.counts.lock().unwrap().entry(death).or_default() += 1;
    }

    pub fn note_recovered(&self, deliveries: u64) {
        self.recovered.fetch_add(deliveries, Ordering::Relaxed);
    }

    pub fn note_failed_start(&self) {
        self.failed_starts.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something died in this way.
    pub fn of(&self, death: Death) -> usize {
        self.counts.lock().unwrap().get(&death).copied().unwrap_or(0)
    }

    /// All but those of gateways that had not begun to work.
    pub fn at_work(&self) -> usize {
        let counts = self.counts.lock().unwrap();
        let at_work = counts.iter().filter(|(death, _)| **death != Death::GatewayKilledWhileStarting);
        at_work.map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Deaths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kills of what was at work: {:?}", self.at_work(), self.counts.lock().unwrap())?;
        write!(f, "; {} deliveries recovered at starts", self.recovered.load(Ordering::Relaxed))?;
        write!(f, ", {} starts failed without the ledger", self.failed_starts.load(Ordering::Relaxed))
    }
}
