//! What follows dossiers sees every step of each, in order, whatever is killed: 34 provinces, 17 ministries, the portal and a statistics
//! office as processes of their own, which publish and follow through the real gateway while all of them die again and again. A checker
//! compares their journals.
//!
//! `TRUC_DOSSIERS_SEED` repeats a run: the same dossiers, the same order of sending, the same outages. `TRUC_DOSSIERS` is how many dossiers
//! there are on SQLite; the set-ups with other programs beside have a fifth of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect has failed")]

use std::io::Write;

use tokio::sync::Mutex;

mod baseline;
mod checker;
mod fan_out;
mod gateways;
mod job;
mod journal;
mod line;
mod mark;
#[path = "../support/nodes.rs"]
#[allow(dead_code, reason = "not every test binary uses all of it")]
mod nodes;
mod plan;
mod publisher;
mod script;
#[path = "../support/setup.rs"]
mod setup;
#[path = "../gateway/support.rs"]
#[allow(dead_code, reason = "not every test binary uses all of it")]
mod site;
mod subscriber;
mod system;
mod trial;
mod two_nodes;

use plan::Plan;
use setup::SetUp;
use trial::Trial;

/// The seed, and how many dossiers there are, if nothing else is said.
const SEED: u64 = 20_260_105;
const DOSSIERS: u32 = 100_000;
/// The share of them in a set-up with other programs beside the gateway.
const BESIDE: u32 = 5;
/// Steps in a hundred that follow the one before within a minute.
const QUICK_PERCENT: u32 = 30;
/// How often the gateway is away.
const OUTAGES: u32 = 12;

/// One at a time: they are about deaths and rates, not about a busy machine.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_in_order_on_sqlite() {
    play(SetUp::Standalone, dossiers()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_in_order_on_sqlite_and_rabbitmq() {
    play(SetUp::Bridge, dossiers() / BESIDE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_in_order_on_postgresql_and_rabbitmq() {
    play(SetUp::ScaleOut, dossiers() / BESIDE).await;
}

async fn play(set_up: SetUp, dossiers: u32) {
    let _turn = TURN.lock().await;
    let seed = variable("TRUC_DOSSIERS_SEED").map_or(SEED, |seed| seed.parse().unwrap());
    let plan = Plan { seed, dossiers, quick_percent: QUICK_PERCENT };
    Trial { set_up, plan, outages: OUTAGES }.run().await;
}

fn dossiers() -> u32 {
    variable("TRUC_DOSSIERS").map_or(DOSSIERS, |count| count.parse().unwrap())
}

#[expect(clippy::disallowed_methods, reason = "the settings of a test run")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Says something that is to be read even when the test passes.
fn say(what: &str) {
    // Nobody reads it; then nobody is told.
    let _closed = writeln!(std::io::stderr(), "{what}").is_err();
}
