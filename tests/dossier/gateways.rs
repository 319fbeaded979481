//! The gateways of a trial, killed when the plan says so, and started again somewhere else.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::plan::{MINISTRIES, Outage, PERIOD_S, PORTAL, STATISTICS, procedure, procedures_of};
use crate::setup::{SetUp, Surroundings};
use crate::site::{Process, Site};

/// How long a gateway is away in the trial for each minute of the plan.
const AWAY_PER_MINUTE: Duration = Duration::from_millis(40);
/// Between two looks at how far the publishers are.
const TICK: Duration = Duration::from_millis(20);
/// The gateways of the scale-out set-up.
const NODES: [&str; 2] = ["a", "b"];

/// Gateways, each with its place.
pub struct Gateways {
    sites: Vec<Arc<Site>>,
    running: Vec<Option<Process>>,
    addresses: PathBuf,
    pub away: Duration,
    pub killed: usize,
}

/// The places of the gateways of a set-up.
fn sites(set_up: SetUp, around: &Surroundings, hold: Duration) -> Vec<Site> {
    let ministries = MINISTRIES.iter().enumerate();
    let procedures = ministries.flat_map(|(place, organ)| {
        procedures_of(place).map(move |number| format!("{organ} * {}", procedure(number)))
    });
    let all = [PORTAL, STATISTICS].map(|organ| format!("{organ} * *"));
    let readers: Vec<_> = all.into_iter().chain(procedures).collect();
    let mut site = Site::new(&[&format!("dossiers.readers = {readers:?}")]);
    site.set(format!("dossiers.gap_hold = \"{}s\"", hold.as_secs()));
    site.directory(&format!(
        "{PORTAL},Cổng Dịch vụ công quốc gia,,,,,false\n{STATISTICS},Cơ quan thống kê,,,,,false"
    ));
    around.tell(&mut site);
    if set_up != SetUp::ScaleOut {
        return vec![site];
    }
    site.set("postgres.node_timeout = \"3s\"");
    let named = |name: &&str| {
        let mut site = site.beside(name);
        site.set(format!("gateway.node = {name:?}"));
        site
    };
    NODES.iter().map(named).collect()
}

impl Gateways {
    /// Starts the gateways of a set-up.
    pub async fn start(set_up: SetUp, around: &Surroundings, hold: Duration) -> Self {
        let sites: Vec<_> = sites(set_up, around, hold).into_iter().map(Arc::new).collect();
        let running = sites.iter().map(|_| None).collect();
        let addresses = sites[0].path("addresses");
        let mut gateways = Self { sites, running, addresses, away: Duration::ZERO, killed: 0 };
        for place in 0..gateways.sites.len() {
            gateways.bring_up(place).await;
        }
        gateways
    }

    /// Where certificates and journals are.
    pub fn site(&self) -> &Site {
        &self.sites[0]
    }

    /// The file with the addresses of those that are up.
    pub fn addresses(&self) -> PathBuf {
        self.addresses.clone()
    }

    /// One that runs.
    pub fn node(&self, place: usize) -> &Process {
        self.running[place].as_ref().expect("none is away before and after a trial")
    }

    /// Kills a gateway in each of the outages, once so much of the work is done; `done` is a share of it.
    pub async fn fail(&mut self, outages: &[Outage], done: impl Fn() -> f64) {
        for (number, outage) in outages.iter().enumerate() {
            while done() < f64::from(outage.at_s) / f64::from(PERIOD_S) {
                tokio::time::sleep(TICK).await;
            }
            let place = number % self.sites.len();
            let mut process = self.running[place].take().expect("it was brought up");
            assert!(!process.has_ended(), "a gateway has ended by itself: {}", process.log());
            tokio::task::spawn_blocking(move || process.kill()).await.unwrap();
            let since = Instant::now();
            self.tell();
            tokio::time::sleep(AWAY_PER_MINUTE * outage.lasts_s / 60).await;
            self.bring_up(place).await;
            self.killed += 1;
            self.away += since.elapsed();
        }
    }

    async fn bring_up(&mut self, place: usize) {
        let site = Arc::clone(&self.sites[place]);
        self.running[place] = Some(tokio::task::spawn_blocking(move || site.start()).await.unwrap());
        self.tell();
    }

    /// Tells the systems where gateways are.
    fn tell(&self) {
        let up = self.running.iter().flatten().map(|process| format!("{}\n", process.address));
        let file = self.addresses.with_extension("new");
        std::fs::write(&file, up.collect::<String>()).unwrap();
        std::fs::rename(file, &self.addresses).unwrap();
    }

    /// Stops all in good order.
    pub async fn stop(self) {
        for process in self.running.into_iter().flatten() {
            let code = tokio::task::spawn_blocking(move || process.stop()).await.unwrap();
            assert_eq!(code, Some(0));
        }
    }
}
