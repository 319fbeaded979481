//! Receipts as their sender watches them: from a cursor on, without a gap or a repeat, whatever breaks in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use truc::proto::v1::{self, ReceiptKind};

use super::{SHORTEST, id};
use crate::support::{Agency, Process, Site, delivered, document, soon};

/// Documents that travel while the receipts are watched.
const ALL: usize = 400;
/// The gateway is killed when so many receipts have been seen.
const KILL_AT: usize = 500;
/// The watcher disconnects by itself after so many pages.
const PAGES: usize = 3;

/// Where the two agencies find the gateway.
type Place = watch::Receiver<(Agency, Agency)>;

/// Submits documents one after the other, each until it is accepted.
async fn submit_all(mut place: Place) {
    let mut g22 = place.borrow_and_update().0.clone();
    for n in 0..ALL {
        while g22.submit(document(&format!("m-{n}"), &["H49"], b"x".to_vec())).await.is_err() {
            soon("the next gateway", place.changed()).await.unwrap();
            g22 = place.borrow_and_update().0.clone();
        }
    }
}

/// Fetches and settles until told that all is done.
async fn take_all(mut place: Place, done: Arc<AtomicBool>) {
    let mut h49 = place.borrow_and_update().1.clone();
    while !done.load(Ordering::Relaxed) {
        let request = v1::FetchRequest { max_deliveries: 20, lease: SHORTEST, ..Default::default() };
        let taken = async {
            let deliveries = h49.exchange.clone().fetch(request).await?.into_inner().deliveries;
            if deliveries.is_empty() {
                tokio::task::yield_now().await;
                return Ok(());
            }
            let settlements = deliveries.iter().map(delivered).collect();
            let request = v1::SettleRequest { organ: String::new(), settlements };
            h49.exchange.clone().settle(request).await.map(drop)
        };
        let taken: Result<(), tonic::Status> = soon("a fetch", taken).await;
        if taken.is_err() {
            soon("the next gateway", place.changed()).await.unwrap();
            h49 = place.borrow_and_update().1.clone();
        }
    }
}

/// What a watcher has seen, and where it continues.
#[derive(Default)]
struct Seen {
    receipts: Vec<v1::Receipt>,
    cursor: String,
    connections: usize,
}

impl Seen {
    /// How many documents have been delivered by these receipts.
    fn delivered(&self) -> usize {
        self.receipts.iter().filter(|receipt| receipt.kind() == ReceiptKind::Delivered).count()
    }

    /// Watches a few pages from the last cursor on, until enough is seen or the connection breaks.
    async fn watch(&mut self, g22: &Agency, enough: fn(&Self) -> bool) {
        self.connections += 1;
        let request = v1::WatchReceiptsRequest { cursor: self.cursor.clone(), ..Default::default() };
        let Ok(watching) = soon("watch", g22.exchange.clone().watch_receipts(request)).await else { return };
        let mut watching = watching.into_inner();
        for _ in 0..PAGES {
            if enough(self) {
                return;
            }
            let Ok(Some(page)) = soon("receipts", watching.message()).await else { return };
            assert!(!page.receipts.is_empty() && page.receipts.len() <= 500);
            self.receipts.extend(page.receipts);
            self.cursor = page.cursor;
            for (n, receipt) in (1..).zip(&self.receipts).skip(self.receipts.len().saturating_sub(600)) {
                assert_eq!(receipt.sender_sequence, n, "no gap, no repeat");
            }
        }
    }
}

/// The two agencies, connected.
async fn both(site: &Site, gateway: &Process) -> (Agency, Agency) {
    (site.agency(gateway, "G22").await, site.agency(gateway, "H49").await)
}

async fn ends(traffic: JoinHandle<()>) {
    soon("the traffic", traffic).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of this test")]
async fn a_watcher_resumes_after_disconnects_and_a_crash_without_a_gap_or_a_repeat() {
    let site = Site::new(&["delivery.retry_delay_min = \"10ms\""]);
    let gateway = site.start();
    let (place, seen_place) = watch::channel(both(&site, &gateway).await);
    let done = Arc::new(AtomicBool::new(false));
    let submitting = tokio::spawn(submit_all(seen_place.clone()));
    let taking = tokio::spawn(take_all(seen_place, Arc::clone(&done)));
    let mut seen = Seen::default();
    let half: fn(&Seen) -> bool = |seen| seen.receipts.len() >= KILL_AT;
    while !half(&seen) {
        let g22 = place.borrow().0.clone();
        seen.watch(&g22, half).await;
    }
    gateway.kill();
    let gateway = site.start();
    place.send_replace(both(&site, &gateway).await);
    // Of each document: accepted, offered, delivered; and one more round for those that were offered at the crash.
    let g22 = place.borrow().0.clone();
    let all: fn(&Seen) -> bool = |seen| seen.delivered() == ALL;
    while !all(&seen) {
        seen.watch(&g22, all).await;
    }
    ends(submitting).await;
    done.store(true, Ordering::Relaxed);
    ends(taking).await;
    println!("{} receipts seen over {} connections", seen.receipts.len(), seen.connections);

    // The same as the log read anew, byte for byte.
    let (anew, cursor) = g22.receipts("").await;
    assert_eq!(anew, seen.receipts);
    assert_eq!(cursor, seen.cursor);
    assert!(g22.receipts(&cursor).await.0.is_empty());
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_is_told_as_it_happens_and_each_sender_has_its_own_log() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let mut calls = g22.exchange.clone();
    let watching = soon("watch", calls.watch_receipts(v1::WatchReceiptsRequest::default())).await.unwrap();
    let mut watching = watching.into_inner();
    let mut kinds = Vec::new();
    let mut next = async || {
        let page = soon("a receipt", watching.message()).await.unwrap().unwrap();
        kinds.extend(page.receipts.iter().map(|r| (r.message_id.clone(), r.kind())));
    };
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    next().await;
    h49.submit(document("of-h49", &["G22"], b"x".to_vec())).await.unwrap();
    let delivery = h49.fetch(1, 10).await.remove(0);
    assert_eq!(id(&delivery), "m-1");
    next().await;
    h49.settle(vec![delivered(&delivery)]).await;
    next().await;
    let of = |kind| ("m-1".to_owned(), kind);
    let expected = [of(ReceiptKind::Accepted), of(ReceiptKind::Offered), of(ReceiptKind::Delivered)];
    assert_eq!(kinds, expected);
    assert_eq!(h49.receipts("").await.0[0].sender_sequence, 1);
    assert_eq!(gateway.stop(), Some(0));
}
