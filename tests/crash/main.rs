//! The gateway is killed again and again under load, and a checker proves from what its clients saw that it kept its word.
//!
//! `TRUC_CRASH_SEED` repeats a run: the same documents, decisions and moments of death. `TRUC_CRASH_ROUNDS` makes it longer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write;
use std::time::Instant;

mod checker;
mod collector;
mod desk;
mod document;
mod fetcher;
mod gateway;
mod journal;
mod line;
mod proof;
mod sender;
#[path = "../gateway/support.rs"]
#[allow(dead_code, reason = "made for the tests of the gateway; this one needs a part of it")]
mod support;
mod town;
mod watcher;

/// Times the gateway is killed while it works, if nothing else is said.
const ROUNDS: usize = 35;
/// The seed, if nothing else is said.
const SEED: u64 = 20_250_701;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_survives_every_kill() {
    let seed = setting("TRUC_CRASH_SEED").unwrap_or(SEED);
    let rounds = setting("TRUC_CRASH_ROUNDS").unwrap_or(ROUNDS as u64);
    say(&format!("crash test: TRUC_CRASH_SEED={seed} TRUC_CRASH_ROUNDS={rounds}"));
    let started = Instant::now();
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut trial = gateway::Trial::begin(rng.fork());
    let town = town::Town::work(&trial, &mut rng);
    for _ in 0..rounds {
        trial.round(&town.load, &town.journal).await;
    }
    let killed = started.elapsed();
    let (facts, ending) = town.end(&trial).await;
    let drained = started.elapsed();
    let verdict = checker::check(&facts, &ending);
    say(&format!(
        "  {} kills at work and {} while starting, {} deliveries recovered from dead connections\n{}\n  \
         {:.1} s of kills, {:.1} s of draining, {:.1} s of checking",
        trial.kills,
        trial.kills_while_starting,
        trial.recovered,
        verdict.counts,
        killed.as_secs_f64(),
        (drained - killed).as_secs_f64(),
        (started.elapsed() - drained).as_secs_f64(),
    ));
    assert!(verdict.violations.is_empty(), "TRUC_CRASH_SEED={seed}\n{}", verdict.told(&facts, &ending));
    // Without these it would have been no trial.
    let counts = &verdict.counts;
    assert_eq!(trial.kills as u64, rounds);
    assert!(counts.accepted as u64 > rounds, "{counts}");
    assert!(counts.repeated > 0 && counts.redeliveries > 0 && counts.redirected > 0, "{counts}");
    assert!(counts.delivered > 0 && counts.rejected > 0 && counts.deferred > 0, "{counts}");
    assert_eq!(trial.stop(), Some(0));
}

#[expect(clippy::disallowed_methods, reason = "the settings of a test run")]
fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

/// Says something that is to be read even when the test passes.
fn say(what: &str) {
    // Nobody reads it; then nobody is told.
    let _closed = writeln!(std::io::stderr(), "{what}").is_err();
}
