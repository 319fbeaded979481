//! Among very many dossiers 37 differ: all of them are found, few bytes go over the line, and both sides are mended.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use truc::domain::dossier::{Offer, Step};
use truc::domain::organ_id::OrganId;
use truc::domain::time::Timestamp;
use truc::dossiers::DossierLog;
use truc::dossiers::sqlite::{Options, SqliteDossiers};
use truc::intake::steps::new_step;
use truc::metrics::Metrics;
use truc::proto::v1::dossier_events_service_client::DossierEventsServiceClient;
use truc::proto::{dossier, v1};

use crate::line::Line;
use crate::setup::SetUp;
use crate::site::{Process, Site, soon};
use crate::town::{DIFFERENT, Expected, Town, found};

/// How many dossiers SQLite is tried with, unless TRUC_COMPARE_DOSSIERS says so.
const MANY: usize = 1_000_000;
/// The same in the other set-ups.
const FEWER: usize = 20_000;
/// Steps in one batch.
const BATCH: usize = 500;
/// What a comparison may move at most.
const BYTES_MAX: u64 = 1_000_000;
/// Longer than one takes on a busy machine, with this crate not optimised.
const RUN_MAX: Duration = Duration::from_secs(300);

/// How a comparison ended.
struct Run {
    code: i32,
    objects: Vec<Value>,
    seconds: f64,
    bytes: u64,
}

impl Run {
    fn summary(&self) -> &Value {
        self.objects.iter().find(|object| object["type"] == "dossier_comparison").unwrap()
    }
}

/// Compares a file with what a gateway has, over a line that counts.
async fn compare(site: &Site, line: &Line, file: &Path, more: &[&str]) -> Run {
    let issued = site.organ("H49");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_truc"));
    command.args(["dossier", "compare", "--json", "--owner", "H49.12", "--with"]).arg(file).args(more);
    command.arg("--endpoint").arg(format!("https://{}", line.address));
    command.arg("--ca").arg(site.ca.certificate_path());
    command.arg("--cert").arg(&issued.certificate).arg("--key").arg(&issued.key);
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    line.bytes();
    let started = Instant::now();
    let output = tokio::time::timeout(RUN_MAX, command.output()).await.unwrap().unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(err, "", "nothing went wrong");
    let objects = String::from_utf8(output.stdout).unwrap();
    Run {
        code: output.status.code().unwrap(),
        objects: objects.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        seconds,
        bytes: line.bytes(),
    }
}

/// Fills the log of a gateway that is not there yet, as fast as it can be filled.
async fn fill(site: &Site, town: Town) {
    let options = Options {
        path: site.path("data/ledger.dossiers.db"),
        commit_batch_max: 20_000,
        queue_max: 64,
        readers: 1,
        hold: Duration::from_secs(600),
    };
    let (log, commits) = SqliteDossiers::open(&options, Arc::new(Metrics::unobserved())).unwrap();
    drop(commits);
    let publisher = OrganId::parse("H49").unwrap();
    let mut pending = Vec::new();
    let mut batch = Vec::new();
    for number in 0..town.dossiers {
        for written in town.there(number) {
            let step: Step = dossier::content(&written).unwrap();
            let new = new_step(&step, written, &publisher, Timestamp::from_micros(1_790_000_000_000_000));
            let offer: &Offer = &new.offer;
            assert_eq!(offer.fingerprint, step.fingerprint());
            batch.push(new);
        }
        if batch.len() >= 5_000 || number + 1 == town.dossiers {
            pending.push(log.publish(std::mem::take(&mut batch)).await.unwrap());
        }
        if pending.len() == 16 {
            settle(&mut pending).await;
        }
    }
    settle(&mut pending).await;
    tokio::task::spawn_blocking(move || drop(log)).await.unwrap();
}

async fn settle(pending: &mut Vec<truc::ledger::Pending<truc::dossiers::PublishAnswers>>) {
    for answers in pending.drain(..) {
        answers.await.unwrap().into_iter().for_each(|answer| drop(answer.unwrap()));
    }
}

/// Fills the log of a running gateway as its publishers do.
async fn publish(site: &Site, gateway: &Process, town: Town) {
    let channel = site.channel(gateway, &site.organ("H49")).await;
    let client = DossierEventsServiceClient::new(channel);
    let steps: Vec<_> = (0..town.dossiers).flat_map(|number| town.there(number)).collect();
    for batch in steps.chunks(BATCH) {
        let request = v1::PublishRequest { organ: String::new(), steps: batch.to_vec() };
        let results = soon("publish", client.clone().publish(request)).await.unwrap().into_inner().results;
        assert!(results.iter().all(|result| result.refusal.is_none()));
    }
}

/// Compares, mends, and compares again until both sides are the same.
async fn compare_and_mend(site: &Site, gateway: SocketAddr, town: Town) {
    let file = site.path("dossiers.jsonl");
    town.write(&file);
    let line = Line::to(gateway).await;
    let expected = town.expected();
    assert_eq!(expected.len(), DIFFERENT);

    let first = compare(site, &line, &file, &[]).await;
    assert_eq!((first.code, found(&first.objects)), (2, expected.clone()));
    assert_eq!(first.summary()["dossiers_in_gateway"].as_u64(), Some(town.dossiers as u64 - 10));
    assert_eq!(first.summary()["dossiers_in_file"].as_u64(), Some(town.dossiers as u64 - 9));
    println!(
        "compare: {} dossiers, {DIFFERENT} differ: {:.1} s, {} bytes",
        town.dossiers, first.seconds, first.bytes
    );
    assert!(first.bytes < BYTES_MAX);

    // One day only: what differs on it, and nothing else.
    let on_first = |code: &str| code.contains("-20260601-");
    let day = compare(site, &line, &file, &["--from", "2026-06-01", "--to", "2026-06-01"]).await;
    let of_day: Expected = expected.clone().into_iter().filter(|(code, _)| on_first(code)).collect();
    assert_eq!(found(&day.objects), of_day);

    let mend = compare(site, &line, &file, &["--mend"]).await;
    let content: Expected = expected.into_iter().filter(|(_, [.., content])| !content.is_empty()).collect();
    assert_eq!((mend.code, content.len()), (2, 1), "one content differs, and is not mended");
    let [published, added, refused] =
        ["published", "added_to_file", "refused"].map(|name| mend.summary()[name].as_u64().unwrap());
    assert!(published >= 21 && added >= 18 && refused == 0, "{published} {added} {refused}");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(" (sửa)", "")).unwrap();
    let same = compare(site, &line, &file, &[]).await;
    assert_eq!((same.code, found(&same.objects)), (0, Expected::new()));
    println!("compare: the same on both sides: {:.1} s, {} bytes", same.seconds, same.bytes);
    assert!(same.bytes < 20_000, "of what is the same next to nothing is sent");
}

#[expect(clippy::disallowed_methods, reason = "a test is told its size by whoever runs it")]
fn asked() -> Option<usize> {
    std::env::var("TRUC_COMPARE_DOSSIERS").ok().map(|number| number.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_37_among_a_million_are_found_and_mended() {
    let mut site = Site::new(&[]);
    SetUp::Standalone.surroundings().tell(&mut site);
    let town = Town { dossiers: asked().unwrap_or(MANY) };
    let started = Instant::now();
    fill(&site, town).await;
    println!("compare: filled with {} dossiers in {:.0} s", town.dossiers, started.elapsed().as_secs_f64());
    let gateway = site.start();
    compare_and_mend(&site, gateway.address, town).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_37_are_found_and_mended_with_rabbitmq() {
    found_in(SetUp::Bridge).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_37_are_found_and_mended_on_postgresql() {
    found_in(SetUp::ScaleOut).await;
}

async fn found_in(set_up: SetUp) {
    let surroundings = set_up.surroundings();
    let mut site = Site::new(&[]);
    surroundings.tell(&mut site);
    let gateway = site.start();
    let town = Town { dossiers: FEWER };
    publish(&site, &gateway, town).await;
    compare_and_mend(&site, gateway.address, town).await;
}
