//! One dead endpoint among a hundred costs the others nothing that can be measured.
//!
//! Documents are offered at a fixed pace well below what the gateway can do, one recipient each, whatever the answers: so what is measured is the
//! way of a document and not a queue. Rounds with and without the dead endpoint take turns, and which comes first alternates, so that
//! whatever else the machine does falls on both. What is compared is the median of the rounds' p99. On a machine with two cores a round's p99 varies
//! by more than five percent by itself; so a change counts only where it is also larger than what the same rounds give when with
//! and without are dealt out anew by chance within each pair.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;
use truc::identity::inspect;
use truc::proto::v1::link_service_client::LinkServiceClient;
use truc::proto::v1::push_link::Server;
use truc::proto::v1::{self};

use crate::endpoint::Endpoint;
use crate::site::{Agency, document};
use crate::town::site;

/// Organs whose endpoints live.
const LIVING: usize = 99;
const DEAD: &str = "H57.100";
/// Documents to each organ in one round, and the time between two documents.
const DOCUMENTS: usize = 2;
const PACE: Duration = Duration::from_millis(10);
/// Pairs of rounds in the first try; each further try adds as many again as there were.
const PAIRS: usize = 12;
const TRIES: usize = 3;
/// The largest change of the p99 that is none.
const CHANGE_MAX: f64 = 0.05;
/// How often with and without are dealt out anew to see what chance does.
const DEALS: usize = 2_000;

/// A hundred links, and who counts what arrives.
struct Country {
    operator: LinkServiceClient<Channel>,
    sender: Arc<Agency>,
    endpoint: Endpoint,
    fingerprint: Vec<u8>,
    dead: String,
    sent: usize,
}

/// What one round gave, in milliseconds.
#[derive(Clone, Copy)]
struct Figures {
    p50: f64,
    p99: f64,
}

/// A round of each kind, one after the other.
struct Pair {
    without: Figures,
    with: Figures,
}

fn living() -> impl Iterator<Item = String> {
    (1..=LIVING).map(|n| format!("H57.{n}"))
}

impl Country {
    async fn set(&mut self, organ: &str, endpoint: String, paused: bool) {
        let server = Some(Server::ServerSha256(self.fingerprint.clone().into()));
        let link = v1::PushLink { organ: organ.into(), endpoint, server, paused, ..Default::default() };
        let request = v1::SetPushLinkRequest { link: Some(link), receipts_after: 0 };
        self.operator.set_push_link(request).await.unwrap();
    }

    /// One round: the same documents at the same pace, to the dead one too; its link is at work or paused.
    async fn round(&mut self, with_dead: bool) -> Figures {
        self.set(DEAD, self.dead.clone(), !with_dead).await;
        let before = self.endpoint.memory.brought().len();
        let submitted = Arc::<Mutex<HashMap<String, Instant>>>::default();
        let (mut pace, tasks) = (tokio::time::interval(PACE), TaskTracker::new());
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..DOCUMENTS {
            for organ in living().chain([DEAD.to_owned()]) {
                pace.tick().await;
                let id = format!("m-{}", self.sent);
                self.sent += 1;
                submitted.lock().unwrap().insert(id.clone(), Instant::now());
                let sender = Arc::clone(&self.sender);
                tasks.spawn(async move {
                    sender.submit(document(&id, &[&organ], b"x".to_vec())).await.unwrap();
                });
            }
        }
        tasks.close();
        tasks.wait().await;
        let arrived = self.endpoint.memory.has(before + DOCUMENTS * LIVING).await;
        let submitted = submitted.lock().unwrap();
        let took = |at: Instant, id: &str| (at - submitted[id]).as_secs_f64() * 1_000.0;
        let mut times: Vec<_> =
            arrived[before..].iter().map(|brought| took(brought.at, &brought.id)).collect();
        Figures { p50: percentile(&mut times, 0.5), p99: percentile(&mut times, 0.99) }
    }
}

fn percentile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * share).round() as usize]
}

/// By how much the median of the rounds changes from those without to those with the dead endpoint.
fn change(rounds: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut without, mut with): (Vec<_>, Vec<_>) = rounds.unzip();
    percentile(&mut with, 0.5) / percentile(&mut without, 0.5) - 1.0
}

/// The change that chance alone exceeds once in twenty times.
fn by_chance(pairs: &[Pair], of: fn(Figures) -> f64) -> f64 {
    let mut rng = fastrand::Rng::with_seed(20_250_701);
    let mut changes: Vec<_> = (0..DEALS)
        .map(|_| {
            let dealt = pairs.iter().map(|pair| match rng.bool() {
                true => (of(pair.without), of(pair.with)),
                false => (of(pair.with), of(pair.without)),
            });
            change(dealt)
        })
        .collect();
    percentile(&mut changes, 0.95)
}

/// Prints a figure of all rounds; gives its change, and what chance does.
fn look(pairs: &[Pair], name: &str, of: fn(Figures) -> f64) -> (f64, f64) {
    let rounds = |kind: fn(&Pair) -> Figures| {
        let figures: Vec<_> = pairs.iter().map(|pair| format!("{:.1}", of(kind(pair)))).collect();
        figures.join(" ")
    };
    println!("  {name} without, ms: {}", rounds(|pair| pair.without));
    println!("  {name} with, ms:    {}", rounds(|pair| pair.with));
    let found = change(pairs.iter().map(|pair| (of(pair.without), of(pair.with))));
    let chance = by_chance(pairs, of);
    println!("  {name} changes by {:+.1} %; by chance up to {:+.1} %", found * 100.0, chance * 100.0);
    (found, chance)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_endpoint_of_a_hundred_changes_the_others_by_less_than_five_percent() {
    let mut site = site(&["push.retry_delay_max = \"5s\""]);
    let rows: Vec<_> = living().chain([DEAD.to_owned()]).map(|id| format!("{id},{id},,,,,")).collect();
    site.directory(&rows.join("\n"));
    let gateway = site.start();
    // Nobody is there.
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let certificate = site.organ("H57");
    let mut country = Country {
        operator: LinkServiceClient::new(site.channel(&gateway, &site.operator("lan")).await),
        sender: Arc::new(site.agency(&gateway, "G22").await),
        endpoint: Endpoint::of(&site, "H57"),
        fingerprint: inspect(&certificate.certificate).unwrap().fingerprint.as_bytes().to_vec(),
        dead: format!("https://{nowhere}"),
        sent: 0,
    };
    let url = country.endpoint.url();
    for organ in living() {
        country.set(&organ, url.clone(), false).await;
    }
    // Connections are made.
    country.round(false).await;
    let mut pairs: Vec<Pair> = Vec::new();
    let mut last = (f64::MAX, 0.0);
    for _ in 0..TRIES {
        for _ in 0..PAIRS.max(pairs.len()) {
            let is_first = pairs.len().is_multiple_of(2);
            let one = country.round(is_first).await;
            let other = country.round(!is_first).await;
            let (with, without) = if is_first { (one, other) } else { (other, one) };
            pairs.push(Pair { without, with });
        }
        println!(
            "{} rounds each way, {} deliveries in each, {LIVING} living endpoints, 1 dead",
            pairs.len(),
            DOCUMENTS * LIVING
        );
        look(&pairs, "p50", |figures| figures.p50);
        last = look(&pairs, "p99", |figures| figures.p99);
        if last.0 < CHANGE_MAX {
            break;
        }
    }
    let (found, chance) = last;
    assert!(found < CHANGE_MAX.max(chance), "p99 changed by {found:.3}, by chance {chance:.3}");
    let in_vain = gateway.metric("truc_pushes_total{outcome=\"unreachable\"}").await;
    println!("  {in_vain} attempts to reach the dead one");
    assert!(in_vain >= pairs.len() as f64);
    assert_eq!(gateway.stop(), Some(0));
}
