//! Limits of single organs: what a recipient takes is seen before sending, and what it does not take is refused before anything is stored.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_types::StatusExt;
use truc::proto::v1::{self, MailboxRoom, submission, submit_result};

use crate::support::{Agency, Collecting, Site, delivered, document, reason, soon, until};

const COLUMNS: &str = "organ_id,rate_per_s,rate_burst,payload_bytes_max,mailbox_deliveries_max,window_max,document_types,senders";

/// Writes the site's file of limits.
fn limits(site: &mut Site, rows: &str) {
    let file = site.path("limits.csv");
    std::fs::write(&file, format!("{COLUMNS}\n{rows}\n")).unwrap();
    site.set(format!("limits.organs = [{file:?}]"));
}

fn typed(id: &str, to: &[&str], document_type: &str) -> v1::Submission {
    let mut submission = document(id, to, b"x".to_vec());
    if let Some(submission::Content::Document(document)) = &mut submission.content {
        document.header.as_mut().unwrap().document_type = document_type.into();
    }
    submission
}

async fn asked(agency: &Agency, organ: &str) -> v1::GetLimitsResponse {
    let request = v1::GetLimitsRequest { organ_id: organ.into() };
    soon("limits", agency.directory.clone().get_limits(request)).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recipient_says_what_it_takes_and_is_sent_nothing_else() {
    let mut site = Site::new(&[]);
    limits(&mut site, "H49,,,1000,2,1,Công văn;Quyết định,G22;H05.*\nG22,7,9,,,,,");
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let h57 = site.agency(&gateway, "H57").await;
    let seen = asked(&g22, "000.00.00.H49").await;
    let expected = v1::GetLimitsResponse {
        organ_id: "H49".into(),
        payload_bytes_max: 1_000,
        document_types: vec!["công văn".into(), "quyết định".into()],
        takes_from_caller: true,
        mailbox_room: MailboxRoom::Plenty.into(),
        mailbox_deliveries_max: 2,
        window_max: 1,
        caller_rate_per_s: 7,
        caller_rate_burst: 9,
    };
    assert_eq!(seen, expected);
    let others = asked(&h57, "H49").await;
    assert_eq!((others.takes_from_caller, others.caller_rate_per_s), (false, 2_000));
    let all = asked(&g22, "H57").await;
    assert_eq!((all.payload_bytes_max, all.window_max, all.document_types.len()), (52_428_800, 0, 0));
    assert_eq!(asked(&h57, "").await.organ_id, "H57");
    let unknown = v1::GetLimitsRequest { organ_id: "H99".into() };
    assert_eq!(reason(&g22.directory.clone().get_limits(unknown).await.unwrap_err()), "ORGAN_NOT_FOUND");

    let large = || {
        let mut large = typed("large", &["H57", "H49"], "Công văn");
        if let Some(submission::Content::Document(document)) = &mut large.content {
            document.payload = vec![b'x'; 1_001].into();
        }
        large
    };
    let refused = g22.submit(large()).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(&refused)), (Code::OutOfRange, "RECIPIENT_PAYLOAD_LIMIT"));
    let details = refused.get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["payload_bytes_max"], "1000");
    let field = &details.bad_request().unwrap().field_violations[0].field;
    assert_eq!(field, "submission.document.header.recipients[1]");
    let refused = g22.submit(typed("type", &["H49"], "Tờ trình")).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(&refused)), (Code::FailedPrecondition, "DOCUMENT_TYPE_NOT_TAKEN"));
    let refused = h57.submit(typed("sender", &["H49"], "Công văn")).await.unwrap_err();
    assert_eq!((refused.code(), &*reason(&refused)), (Code::PermissionDenied, "SENDER_NOT_TAKEN"));
    assert_eq!(reason(&g22.track("", "large").await.unwrap_err()), "MESSAGE_NOT_FOUND");

    for n in 0..2 {
        g22.submit(typed(&format!("m-{n}"), &["H49"], "CÔNG VĂN")).await.unwrap();
    }
    let full = g22.submit(typed("m-2", &["H57", "H49"], "Công văn")).await.unwrap_err();
    assert_eq!((full.code(), &*reason(&full)), (Code::ResourceExhausted, "MAILBOX_FULL"));
    assert!(full.get_error_details().retry_info().is_some());
    assert_eq!(asked(&g22, "H49").await.mailbox_room(), MailboxRoom::Full);
    // One at a time, whatever it asks for.
    let held = h49.fetch(10, 10).await;
    assert_eq!(held.len(), 1);
    h49.settle(vec![delivered(&held[0])]).await;
    let mut collecting = h49.collect(32).await;
    assert_eq!(collecting.deliveries().await.len(), 1);
    drop(collecting);

    // What was accepted before is still answered when the limits change; they do so with a reload.
    limits(&mut site, "H49,,,1000,,,,H57\nG22,3,4,,,,,");
    gateway.signal("HUP");
    until("the new limits hold", async || asked(&g22, "H49").await.caller_rate_per_s == 3).await;
    assert!(g22.submit(typed("m-0", &["H49"], "CÔNG VĂN")).await.unwrap().repeated_submission);
    assert_eq!(
        reason(&g22.submit(typed("m-9", &["H49"], "Công văn")).await.unwrap_err()),
        "SENDER_NOT_TAKEN"
    );
    h57.submit(typed("of-h57", &["H49"], "gì cũng được")).await.unwrap();
    // A file that cannot be read changes nothing.
    limits(&mut site, "H49,1,,,,,,");
    gateway.signal("HUP");
    gateway.logged("give both rate_per_s and rate_burst").await;
    assert_eq!(asked(&g22, "H49").await.caller_rate_per_s, 3);
    assert_eq!(gateway.stop(), Some(0));
    let Err(why) = site.try_start() else { panic!("it starts with limits it cannot read") };
    assert!(why.contains("limits.csv, line 2"), "{why}");
}

/// As many deliveries as are handed out, and no more.
async fn handed(collecting: &mut Collecting, count: usize) -> Vec<v1::Delivery> {
    let mut handed = Vec::new();
    while handed.len() < count {
        handed.extend(collecting.deliveries().await);
    }
    assert_eq!(handed.len(), count);
    handed
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_and_fetches_of_an_organ_share_its_window() {
    let mut site = Site::new(&[]);
    limits(&mut site, "H49,,,,,3,,");
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    for n in 0..9 {
        g22.submit(document(&format!("m-{n}"), &["H49"], b"x".to_vec())).await.unwrap();
    }
    let fetched = h49.fetch(10, 10).await;
    assert_eq!((fetched.len(), h49.fetch(10, 0).await.len()), (3, 0));
    h49.settle(fetched.iter().take(2).map(delivered).collect()).await;
    // One is held by the fetch still, two by a collector that is full, so there is none for another.
    let mut full = h49.collect(2).await;
    handed(&mut full, 2).await;
    let mut other = h49.collect(32).await;
    assert!(h49.fetch(10, 1).await.is_empty());
    h49.settle(vec![delivered(&fetched[2])]).await;
    let third = handed(&mut other, 1).await;
    assert!(h49.fetch(10, 1).await.is_empty());
    // What the first collector held is ready again, and the other may hold it.
    drop(full);
    let mut held = handed(&mut other, 2).await;
    held.extend(third);
    h49.settle(held.iter().map(delivered).collect()).await;
    held.extend(handed(&mut other, 3).await);
    held.extend(fetched);
    let ids: HashSet<_> = held.iter().map(|delivery| &delivery.delivery_id).collect();
    assert_eq!(ids.len(), 9);
    assert_eq!(gateway.stop(), Some(0));
}

const FLOOD_RATE_PER_S: u64 = 500;
const FLOOD_TICK: Duration = Duration::from_millis(10);
const FLOOD_A_TICK: u64 = 10 * FLOOD_RATE_PER_S / 100;
const FLOOD: u64 = 100_000;
/// Flood and quiet take turns.
const PHASES: usize = 5;
const OTHERS: [&str; 4] = ["G22", "H05", "G02", "G03"];
const OTHERS_INTERVAL: Duration = Duration::from_millis(20);

/// One phase of the flood, over a stream; gives how many were accepted and how many refused.
async fn flood(agency: &Agency, phase: usize) -> (u64, u64) {
    let (send, queue) = tokio::sync::mpsc::channel(64);
    let mut answers = soon("a stream", agency.exchange.clone().submit_stream(ReceiverStream::new(queue)))
        .await
        .unwrap()
        .into_inner();
    let sending = tokio::spawn(async move {
        let mut ticks = interval(FLOOD_TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for tick in 0..FLOOD / PHASES as u64 / FLOOD_A_TICK {
            ticks.tick().await;
            for n in 0..FLOOD_A_TICK {
                let submission = document(&format!("f-{phase}-{tick}-{n}"), &["H49"], vec![b'x'; 2_000]);
                send.send(v1::SubmitStreamRequest { submission: Some(submission) }).await.unwrap();
            }
        }
    });
    let (mut accepted, mut refused) = (0, 0);
    while let Some(answer) = answers.message().await.unwrap() {
        for result in answer.results {
            match result.result.unwrap() {
                submit_result::Result::Acceptance(_) => accepted += 1,
                submit_result::Result::Refusal(refusal) => {
                    assert_eq!(refusal.reason(), v1::ErrorReason::RateLimited);
                    assert!(refusal.retry_delay.is_some() && !refusal.hint.is_empty());
                    refused += 1;
                }
            }
        }
    }
    sending.await.unwrap();
    (accepted, refused)
}

/// Submits at an even pace for good, counting.
async fn submit_evenly(agency: Agency, count: Arc<AtomicU64>) {
    let mut ticks = interval(OTHERS_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for n in 0_u64.. {
        ticks.tick().await;
        agency.submit(document(&format!("o-{n}"), &["H57"], vec![b'x'; 2_000])).await.unwrap();
        count.fetch_add(1, Ordering::Relaxed);
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::print_stderr, reason = "the figures")]
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_one_organ_costs_the_others_nothing() {
    let mut site = Site::new(&[]);
    limits(&mut site, &format!("G01,{FLOOD_RATE_PER_S},{FLOOD_RATE_PER_S},,,,,"));
    let gateway = site.start();
    let flooder = site.agency(&gateway, "G01").await;
    let count = Arc::new(AtomicU64::new(0));
    let mut others = JoinSet::new();
    for id in OTHERS {
        others.spawn(submit_evenly(site.agency(&gateway, id).await, Arc::clone(&count)));
    }
    let (mut quiet, mut flooded) = (Vec::new(), Vec::new());
    let (mut accepted, mut refused) = (0, 0);
    tokio::time::sleep(Duration::from_millis(500)).await;
    for phase in 0..PHASES {
        let (began, before) = (Instant::now(), count.load(Ordering::Relaxed));
        let (took, turned_away) = flood(&flooder, phase).await;
        let lasted = began.elapsed();
        flooded.push((count.load(Ordering::Relaxed) - before) as f64 / lasted.as_secs_f64());
        (accepted, refused) = (accepted + took, refused + turned_away);
        let (began, before) = (Instant::now(), count.load(Ordering::Relaxed));
        tokio::time::sleep(lasted).await;
        quiet.push((count.load(Ordering::Relaxed) - before) as f64 / began.elapsed().as_secs_f64());
    }
    others.abort_all();
    let (quiet, flooded) = (median(quiet), median(flooded));
    let change = (flooded / quiet - 1.0) * 100.0;
    eprintln!(
        "a flood of {FLOOD} at ten times its rate: {accepted} accepted, {refused} refused; the others submit {quiet:.1}/s in quiet, \
         {flooded:.1}/s beside it: {change:+.1} %"
    );
    assert_eq!(accepted + refused, FLOOD);
    assert!(refused > FLOOD / 2, "{refused}");
    assert!(change.abs() < 5.0, "{change} %");
    assert_eq!(gateway.metric("truc_refusals_total{reason=\"RATE_LIMITED\"}").await, refused as f64);
    assert_eq!(gateway.stop(), Some(0));
}
