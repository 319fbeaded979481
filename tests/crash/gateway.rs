//! One gateway under trial: killed at random moments, started again at once or after a while.

use std::ops::Range;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::deaths::{Death, Deaths};
use crate::journal::Journal;
use crate::line::Switchboard;
use crate::site::{Process, Site};
use crate::trial::blocking;

/// Facts its clients have to see before it counts as under load, and how long they get for that.
const BUSY_FACTS: usize = 30;
const BUSY_MAX: Duration = Duration::from_secs(2);
/// One in so many rounds has a gateway whose life begins at once, while its clients connect.
const UNPREPARED_EVERY: u8 = 4;
/// One in so many rounds has a gateway that is killed while it starts, ...
const STILLBORN_EVERY: u8 = 3;
/// ... at most this long after it was started, microseconds.
const STILLBIRTH_US_MAX: u64 = 30_000;
/// How long a gateway may fail to start because its ledger is away, and between two tries.
const START_PATIENCE: Duration = Duration::from_secs(60);
const START_DELAY: Duration = Duration::from_millis(200);
const TICK: Duration = Duration::from_millis(5);

/// How long something lives, and how long it is away, milliseconds.
#[derive(Clone)]
pub struct Span {
    pub life_ms: Range<u64>,
    pub away_ms: Range<u64>,
}

impl Span {
    pub fn life(&self, rng: &mut fastrand::Rng) -> Duration {
        Self::within(&self.life_ms, rng)
    }

    pub fn away(&self, rng: &mut fastrand::Rng) -> Duration {
        Self::within(&self.away_ms, rng)
    }

    fn within(ms: &Range<u64>, rng: &mut fastrand::Rng) -> Duration {
        Duration::from_micros(rng.u64(ms.start * 1_000..=ms.end * 1_000))
    }
}

/// A gateway and its place among those of its site.
pub struct Gateway {
    pub site: Arc<Site>,
    place: usize,
    running: Option<Process>,
    switchboard: Switchboard,
    deaths: Arc<Deaths>,
    rng: fastrand::Rng,
    /// It does not start while its ledger is away.
    waits_for_ledger: bool,
}

impl Gateway {
    /// Starts a gateway.
    pub async fn start(
        (place, site): (usize, Site),
        switchboard: &Switchboard,
        deaths: &Arc<Deaths>,
        waits_for_ledger: bool,
        rng: fastrand::Rng,
    ) -> Self {
        let (site, deaths, switchboard) = (Arc::new(site), Arc::clone(deaths), switchboard.clone());
        let mut gateway = Self { site, place, running: None, switchboard, deaths, rng, waits_for_ledger };
        gateway.bring_up().await;
        gateway
    }

    /// The running gateway.
    pub fn running(&self) -> &Process {
        self.running.as_ref().expect("a gateway runs between rounds")
    }

    /// Lets the gateway work under load for a while, kills it and starts another one.
    pub async fn round(&mut self, span: &Span, journal: &Journal) {
        let life = span.life(&mut self.rng);
        if self.rng.u8(..UNPREPARED_EVERY) != 0 {
            under_load(journal).await;
        }
        tokio::time::sleep(life).await;
        let mut process = self.take_down();
        if process.has_ended() {
            journal.broken("gateway", format!("{} ended by itself: {}", self.place, process.log()));
        }
        blocking(move || process.kill()).await;
        self.deaths.note(Death::GatewayKilled);
        tokio::time::sleep(span.away(&mut self.rng)).await;
        if self.rng.u8(..STILLBORN_EVERY) == 0 {
            self.kill_while_starting().await;
        }
        self.bring_up().await;
    }

    async fn kill_while_starting(&mut self) {
        let life = Duration::from_micros(self.rng.u64(..STILLBIRTH_US_MAX));
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_truc"))
            .arg("serve")
            .arg("--config")
            .arg(self.site.config_file())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        tokio::time::sleep(life).await;
        child.kill().await.unwrap();
        self.deaths.note(Death::GatewayKilledWhileStarting);
    }

    /// Takes the process out of its clients' reach; what becomes of it is the caller's.
    pub fn take_down(&mut self) -> Process {
        self.switchboard.down(self.place);
        self.running.take().expect("a gateway runs between rounds")
    }

    /// Starts the gateway.
    pub async fn bring_up(&mut self) {
        let patience = Instant::now() + START_PATIENCE;
        let process = loop {
            let site = Arc::clone(&self.site);
            match blocking(move || site.try_start()).await {
                Ok(process) => break process,
                Err(why) => assert!(self.waits_for_ledger && Instant::now() < patience, "{why}"),
            }
            self.deaths.note_failed_start();
            tokio::time::sleep(START_DELAY).await;
        };
        let up = process.log().lines().find_map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            event.get("recovered")?.as_u64()
        });
        self.deaths.note_recovered(up.expect("a gateway that is up says how much it recovered"));
        self.switchboard.up(self.place, process.address);
        self.running = Some(process);
    }

    /// Stops it in good order; gives its exit code.
    pub async fn stop(mut self) -> Option<i32> {
        let process = self.take_down();
        blocking(move || process.stop()).await
    }
}

async fn under_load(journal: &Journal) {
    let busy = journal.len() + BUSY_FACTS;
    let end = Instant::now() + BUSY_MAX;
    while journal.len() < busy && Instant::now() < end {
        tokio::time::sleep(TICK).await;
    }
}
