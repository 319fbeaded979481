//! The gateway under trial: killed at random moments, started again at once.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use crate::journal::Journal;
use crate::support::{Process, Site};

/// How long a gateway lives under load before it is killed, milliseconds.
const LIFE_MS: std::ops::Range<u64> = 50..400;
/// Facts its clients have to see before it counts as under load, and how long they get for that.
const BUSY_FACTS: usize = 30;
const BUSY_MAX: Duration = Duration::from_secs(2);
/// One in so many rounds has a gateway whose life begins at once, while its clients connect.
const UNPREPARED_EVERY: u8 = 4;
/// One in so many rounds has a gateway that is killed while it starts, ...
const STILLBORN_EVERY: u8 = 3;
/// ... at most this long after it was started, microseconds.
const STILLBIRTH_US_MAX: u64 = 30_000;
/// New documents per tick, and how many may wait for a sender.
const DOCUMENTS_PER_TICK: usize = 12;
const DOCUMENTS_WAITING_MAX: usize = 96;
const TICK: Duration = Duration::from_millis(5);

/// Retries come soon, so that there are many; none is ever given up; no sender is held back.
const SETTINGS: [&str; 5] = [
    "delivery.retry_delay_min = \"30ms\"",
    "delivery.retry_delay_max = \"300ms\"",
    "delivery.attempts_max = 100000",
    "limits.rate_per_s = 1000000",
    "limits.rate_burst = 1000000",
];

/// A site whose gateway is killed again and again.
pub struct Trial {
    pub site: Site,
    running: Option<Process>,
    address: watch::Sender<Option<SocketAddr>>,
    rng: fastrand::Rng,
    pub kills: usize,
    pub kills_while_starting: usize,
    /// Deliveries that were on connections when their gateway was killed, as the next one found them.
    pub recovered: u64,
}

impl Trial {
    /// A site with a running gateway.
    pub fn begin(rng: fastrand::Rng) -> Self {
        let mut trial = Self {
            site: Site::new(&SETTINGS),
            running: None,
            address: watch::channel(None).0,
            rng,
            kills: 0,
            kills_while_starting: 0,
            recovered: 0,
        };
        trial.start();
        trial
    }

    /// Where the gateway is now, if it is.
    pub fn address(&self) -> watch::Receiver<Option<SocketAddr>> {
        self.address.subscribe()
    }

    /// The running gateway.
    pub fn running(&self) -> &Process {
        self.running.as_ref().expect("a gateway runs between rounds")
    }

    /// Lets the gateway work under load for a while, kills it and starts another one.
    pub async fn round(&mut self, load: &Semaphore, journal: &Journal) {
        let life = Duration::from_micros(self.rng.u64(LIFE_MS.start * 1_000..LIFE_MS.end * 1_000));
        if self.rng.u8(..UNPREPARED_EVERY) != 0 {
            let busy = journal.len() + BUSY_FACTS;
            feed(load, BUSY_MAX, || journal.len() >= busy).await;
        }
        feed(load, life, || false).await;
        let process = self.running.take().expect("a gateway runs between rounds");
        tokio::task::block_in_place(|| process.kill());
        self.kills += 1;
        self.address.send_replace(None);
        if self.rng.u8(..STILLBORN_EVERY) == 0 {
            self.kill_while_starting().await;
        }
        self.start();
    }

    async fn kill_while_starting(&mut self) {
        let life = Duration::from_micros(self.rng.u64(..STILLBIRTH_US_MAX));
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_truc"))
            .arg("serve")
            .arg("--config")
            .arg(self.site.path("truc.toml"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        tokio::time::sleep(life).await;
        child.kill().await.unwrap();
        self.kills_while_starting += 1;
    }

    fn start(&mut self) {
        let process = tokio::task::block_in_place(|| self.site.start());
        let up = process.log().lines().find_map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            event.get("recovered")?.as_u64()
        });
        self.recovered += up.expect("a gateway that is up says how much it recovered");
        self.address.send_replace(Some(process.address));
        self.running = Some(process);
    }

    /// Stops the last gateway in good order; gives its exit code.
    pub fn stop(mut self) -> Option<i32> {
        let process = self.running.take().expect("a gateway runs between rounds");
        tokio::task::block_in_place(|| process.stop())
    }
}

/// Lets documents be sent for a time, or until it is enough.
async fn feed(load: &Semaphore, time: Duration, enough: impl Fn() -> bool) {
    let end = Instant::now() + time;
    while !enough() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if load.available_permits() < DOCUMENTS_WAITING_MAX {
            load.add_permits(DOCUMENTS_PER_TICK);
        }
        tokio::time::sleep(left.min(TICK)).await;
    }
}
