//! What is part of a set-up is killed again and again under load, and a checker proves from what the clients saw that the gateways
//! kept their word.
//!
//! `TRUC_CRASH_SEED` repeats a run: the same documents, decisions and moments of death. `TRUC_CRASH_ROUNDS` makes it longer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::Write;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

mod checker;
mod collector;
mod deaths;
mod desk;
mod document;
mod fetcher;
mod gateway;
mod journal;
mod line;
#[path = "../support/nodes.rs"]
#[allow(dead_code, reason = "made for all tests with such nodes; this one needs a part of it")]
mod nodes;
mod outage;
mod proof;
mod rolling;
mod sender;
mod setup;
#[path = "../gateway/support.rs"]
#[allow(dead_code, reason = "made for the tests of the gateway; this one needs a part of it")]
mod site;
#[path = "../support/setup.rs"]
mod surroundings;
mod town;
mod trial;
mod watcher;

use deaths::Death;
use gateway::Span;
use setup::SetUp;
use town::{Manners, Town};
use trial::{Plan, Trial};

/// Times the gateway of a single-node set-up is killed while it works, if nothing else is said.
const ROUNDS: u64 = 35;
/// The seed, if nothing else is said.
const SEED: u64 = 20_250_701;
/// Kills of each kind in the scale-out set-up for so many rounds of the others, and in all.
const ROUNDS_PER_KILL: u64 = 9;
const SCALE_OUT_KILLS_MIN: usize = 30;

/// One trial at a time: they are about what happens when something is killed, not about a busy machine.
static TURN: Mutex<()> = Mutex::const_new(());

/// What a single gateway goes through: it is killed as soon as it is under load, and started again at once.
fn restless(rounds: usize) -> Plan {
    let still = Span { life_ms: 3_000..6_000, away_ms: 0..1_500 };
    Plan {
        gateway_deaths: rounds,
        gateway: Span { life_ms: 50..400, away_ms: 0..0 },
        rabbitmq_deaths: 0,
        rabbitmq: still.clone(),
        postgres_deaths: 0,
        postgres: still,
        documents_per_s: 2_400,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_survives_every_kill() {
    let _turn = TURN.lock().await;
    trial(SetUp::Standalone, &restless(rounds())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_rabbitmq_too() {
    let _turn = TURN.lock().await;
    let rabbitmq_deaths = rounds().div_ceil(12);
    // A subscription takes longer to be there than an embedded broker's.
    let gateway = Span { life_ms: 100..1_500, away_ms: 0..0 };
    let plan = Plan { rabbitmq_deaths, gateway, documents_per_s: 200, ..restless(rounds()) };
    let deaths = trial(SetUp::Bridge, &plan).await;
    assert!(deaths.of(Death::RabbitMqKilled) > 0 && deaths.of(Death::RabbitMqStopped) > 0, "{deaths}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_keep_their_word_whatever_is_killed() {
    let _turn = TURN.lock().await;
    let each = rounds().div_ceil(ROUNDS_PER_KILL as usize);
    let plan = Plan {
        gateway_deaths: 3 * each,
        gateway: Span { life_ms: 200..3_000, away_ms: 0..1_000 },
        rabbitmq_deaths: each,
        rabbitmq: Span { life_ms: 2_000..6_000, away_ms: 0..500 },
        postgres_deaths: each,
        postgres: Span { life_ms: 2_000..8_000, away_ms: 0..1_500 },
        documents_per_s: 100,
    };
    let deaths = trial(SetUp::ScaleOut, &plan).await;
    assert!(deaths.at_work() >= SCALE_OUT_KILLS_MIN.min(8 * each), "{deaths}");
    let every =
        [Death::GatewayKilled, Death::RabbitMqKilled, Death::RabbitMqStopped, Death::PostgresStoppedAtOnce];
    assert!(every.iter().all(|death| deaths.of(*death) > 0), "{deaths}");
}

/// Puts a set-up through its plan, and proves that it kept its word.
async fn trial(set_up: SetUp, plan: &Plan) -> std::sync::Arc<deaths::Deaths> {
    let seed = setting("TRUC_CRASH_SEED").unwrap_or(SEED);
    say(&format!("crash test, {set_up:?}: TRUC_CRASH_SEED={seed} TRUC_CRASH_ROUNDS={}", rounds()));
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut trial = Trial::begin(set_up, &mut rng).await;
    let manners = Manners {
        tolerated: set_up.tolerated(),
        given_up_percent: 8,
        short_leases: set_up == SetUp::ScaleOut,
    };
    let started = Instant::now();
    let town = Town::work(&trial, manners, &mut rng);
    trial.run(plan, &town).await;
    let killed = started.elapsed();
    let counts = end(&trial, town, seed, killed).await;
    // Without these it would have been no trial.
    assert!(counts.accepted as u64 > plan.gateway_deaths as u64, "{counts}");
    assert!(counts.repeated > 0 && counts.redeliveries > 0 && counts.redirected > 0, "{counts}");
    assert!(counts.delivered > 0 && counts.rejected > 0 && counts.deferred > 0, "{counts}");
    let deaths = std::sync::Arc::clone(&trial.deaths);
    assert!(trial.stop().await.iter().all(|code| *code == Some(0)));
    deaths
}

/// Ends the load, says what there was, and proves that nothing went wrong.
async fn end(trial: &Trial, town: Town, seed: u64, worked: Duration) -> checker::Counts {
    let started = Instant::now();
    let journal = std::sync::Arc::clone(&town.journal);
    let facts = town.end(trial).await;
    let drained = started.elapsed();
    let ending = town::read(trial, &facts).await;
    let read = started.elapsed();
    let verdict = checker::check(&facts, &ending);
    say(&format!(
        "  {}\n  {}\n{}\n  {:.1} s at work, {:.1} s of draining, {:.1} s of reading, {:.1} s of checking",
        trial.deaths,
        journal.failures(),
        verdict.counts,
        worked.as_secs_f64(),
        drained.as_secs_f64(),
        (read - drained).as_secs_f64(),
        (started.elapsed() - read).as_secs_f64(),
    ));
    assert!(verdict.violations.is_empty(), "TRUC_CRASH_SEED={seed}\n{}", verdict.told(&facts, &ending));
    verdict.counts
}

fn rounds() -> usize {
    setting("TRUC_CRASH_ROUNDS").unwrap_or(ROUNDS) as usize
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
