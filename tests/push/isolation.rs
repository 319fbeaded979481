//! One dead endpoint among a hundred costs the others nothing that can be measured.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
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
/// Documents to all organs in one phase, and the time between two.
const DOCUMENTS: usize = 3;
const PACE: Duration = Duration::from_millis(100);
/// Pairs of phases, one with and one without the dead endpoint, of the first try; each further try has twice as many. Phases are short and take
/// turns, so that whatever else the machine does falls on both kinds.
const PAIRS: usize = 30;
const TRIES: usize = 3;

/// A hundred links, and who counts what arrives.
struct Country {
    operator: LinkServiceClient<Channel>,
    sender: Agency,
    endpoint: Endpoint,
    fingerprint: Vec<u8>,
    dead: String,
    sent: usize,
}

fn living() -> Vec<String> {
    (1..=LIVING).map(|n| format!("H57.{n}")).collect()
}

impl Country {
    async fn set(&mut self, organ: &str, endpoint: String, paused: bool) {
        let server = Some(Server::ServerSha256(self.fingerprint.clone().into()));
        let link = v1::PushLink { organ: organ.into(), endpoint, server, paused, ..Default::default() };
        let request = v1::SetPushLinkRequest { link: Some(link), receipts_after: 0 };
        self.operator.set_push_link(request).await.unwrap();
    }

    /// One phase: documents to all organs at a pace; the times from submission to arrival, in milliseconds.
    async fn phase(&mut self, with_dead: bool) -> Vec<f64> {
        self.set(DEAD, self.dead.clone(), !with_dead).await;
        let mut recipients = living();
        recipients.extend(with_dead.then(|| DEAD.to_owned()));
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let before = self.endpoint.memory.brought().len();
        let mut submitted = HashMap::new();
        for _ in 0..DOCUMENTS {
            let id = format!("m-{}", self.sent);
            self.sent += 1;
            submitted.insert(id.clone(), Instant::now());
            self.sender.submit(document(&id, &recipients, b"x".to_vec())).await.unwrap();
            tokio::time::sleep(PACE).await;
        }
        let arrived = self.endpoint.memory.has(before + DOCUMENTS * LIVING).await;
        let took = |at: Instant, id: &str| (at - submitted[id]).as_secs_f64() * 1_000.0;
        arrived[before..].iter().map(|brought| took(brought.at, &brought.id)).collect()
    }
}

fn percentile(times: &mut [f64], share: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * share) as usize]
}

/// How the percentile of a phase, in the middle of all phases, changes from those without to those with the dead endpoint; and how it differs
/// among the former by chance.
fn change(without: &[Vec<f64>], with: &[Vec<f64>], share: f64) -> (f64, f64) {
    let of = |phases: &mut dyn Iterator<Item = &Vec<f64>>| {
        let mut each: Vec<_> = phases.map(|times| percentile(&mut times.clone(), share)).collect();
        percentile(&mut each, 0.5)
    };
    let (base, other) = (of(&mut without.iter()), of(&mut with.iter()));
    let halves = (of(&mut without.iter().step_by(2)), of(&mut without.iter().skip(1).step_by(2)));
    println!("  p{:.0}: {base:.1} ms without, {other:.1} ms with it", share * 100.0);
    (other / base - 1.0, (halves.0 / halves.1 - 1.0).abs())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_endpoint_of_a_hundred_changes_the_others_by_less_than_five_percent() {
    let mut site = site(&["push.retry_delay_max = \"5s\""]);
    let rows: Vec<_> =
        living().into_iter().chain([DEAD.to_owned()]).map(|id| format!("{id},{id},,,,,")).collect();
    site.directory(&rows.join("\n"));
    let gateway = site.start();
    // Nobody is there.
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let certificate = site.organ("H57");
    let mut country = Country {
        operator: LinkServiceClient::new(site.channel(&gateway, &site.operator("lan")).await),
        sender: site.agency(&gateway, "G22").await,
        endpoint: Endpoint::of(&site, "H57"),
        fingerprint: inspect(&certificate.certificate).unwrap().fingerprint.as_bytes().to_vec(),
        dead: format!("https://{nowhere}"),
        sent: 0,
    };
    let url = country.endpoint.url();
    for organ in living() {
        country.set(&organ, url.clone(), false).await;
    }
    country.phase(false).await;
    let mut last = (f64::MAX, 0.0);
    for attempt in 0..TRIES {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for pair in 0..PAIRS << attempt {
            // Which of the two comes first alternates, too.
            for with_dead in [pair % 2 == 0, pair % 2 == 1] {
                let times = country.phase(with_dead).await;
                if with_dead { with.push(times) } else { without.push(times) }
            }
        }
        println!(
            "{} deliveries each way, {LIVING} living endpoints, 1 dead",
            without.len() * DOCUMENTS * LIVING
        );
        change(&without, &with, 0.5);
        last = change(&without, &with, 0.99);
        println!("  p99 changes by {:+.1} %, by chance {:.1} %", last.0 * 100.0, last.1 * 100.0);
        if last.0 < 0.05 {
            break;
        }
    }
    assert!(last.0 < 0.05 || last.0 < last.1, "p99 changed by {:.3}, {:.3} by chance", last.0, last.1);
    let in_vain = gateway.metric("truc_pushes_total{outcome=\"unreachable\"}").await;
    println!("  {in_vain} attempts to reach the dead one");
    assert!(in_vain > PAIRS as f64);
    assert_eq!(gateway.stop(), Some(0));
}
