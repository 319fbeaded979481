//! Whether this node should get traffic: named checks, asked anew at each probe.

use std::pin::Pin;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

/// A check without an answer in this time has failed.
const CHECK_TIME_MAX: Duration = Duration::from_secs(2);

type Answer = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

struct Check {
    name: &'static str,
    required: bool,
    ask: Box<dyn Fn() -> Answer + Send + Sync>,
}

/// The checks of a node. Without any, it is ready.
#[derive(Default)]
pub struct Readiness {
    checks: Vec<Check>,
}

/// What the checks said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether all passed without which the node can do nothing.
    pub ready: bool,
    /// Whether one failed without which it does a part of its work.
    pub degraded: bool,
    /// Each of them, in the order they were added.
    pub checks: Vec<Finding>,
}

/// What one check said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The check.
    pub name: &'static str,
    /// Whether it passed.
    pub ok: bool,
    /// Why it did not; empty when it did.
    pub detail: String,
}

impl Readiness {
    /// No checks yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check that says `Ok`, or why the node should get no traffic. It may wait, up to 2 s, but not block.
    pub fn check<F, A>(mut self, name: &'static str, ask: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push(Check { name, required: true, ask: Box::new(move || Box::pin(ask())) });
        self
    }

    /// The same for something without which the node is degraded, and still gets traffic.
    pub fn watch<F, A>(mut self, name: &'static str, ask: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.checks.push(Check { name, required: false, ask: Box::new(move || Box::pin(ask())) });
        self
    }

    /// Asks all checks at once.
    pub async fn report(&self) -> Report {
        let checks = join_all(self.checks.iter().map(find)).await;
        let failed = |required| {
            let mut both = self.checks.iter().zip(&checks);
            both.any(|(check, finding)| check.required == required && !finding.ok)
        };
        Report { ready: !failed(true), degraded: failed(false), checks }
    }
}

async fn find(check: &Check) -> Finding {
    let answer = tokio::time::timeout(CHECK_TIME_MAX, (check.ask)()).await;
    let outcome = answer.unwrap_or_else(|_| Err(format!("no answer within {} s", CHECK_TIME_MAX.as_secs())));
    Finding { name: check.name, ok: outcome.is_ok(), detail: outcome.err().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_failed_check_is_enough() {
        let ready = Readiness::new().check("keys", async || Ok(()));
        assert!(ready.report().await.ready);
        let report = ready.check("ledger", async || Err("read-only".to_owned())).report().await;
        assert!(!report.ready);
        assert!(!report.degraded);
        let [keys, ledger] = &report.checks[..] else { panic!("{report:?}") };
        assert_eq!((keys.name, keys.ok, keys.detail.as_str()), ("keys", true, ""));
        assert_eq!((ledger.name, ledger.ok, ledger.detail.as_str()), ("ledger", false, "read-only"));
    }

    #[tokio::test]
    async fn without_what_is_only_watched_it_is_degraded_and_ready() {
        let readiness = Readiness::new().check("keys", async || Ok(()));
        let report = readiness.watch("broker", async || Err("away".to_owned())).report().await;
        assert!(report.ready && report.degraded && !report.checks[1].ok);
    }

    #[tokio::test]
    async fn a_check_that_hangs_has_failed() {
        let started = std::time::Instant::now();
        let hangs = || std::future::pending();
        let report = Readiness::new().check("one", hangs).check("two", hangs).report().await;
        assert_eq!(report.checks.iter().filter(|f| f.detail == "no answer within 2 s").count(), 2);
        assert!(started.elapsed() < 2 * CHECK_TIME_MAX, "the checks run beside each other");
    }
}
