//! Recalls against fetches on two connections: each has exactly one outcome, the same for both agencies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::stream::{self, StreamExt};
use tokio::sync::Notify;
use truc::proto::v1::{self, ChangeEffect, DeliveryState, MessageKind, ReceiptKind};

use crate::desk::recall;
use crate::setup::SetUp;
use crate::site::{Agency, Site, delivered, document, soon};

crate::setup::in_each_set_up! { recalls_against_fetches }

/// Documents that are there at a time, and calls under way.
const AT_ONCE: usize = 500;
const CALLS: usize = 16;

fn races(set_up: SetUp) -> usize {
    match set_up {
        SetUp::Standalone => 10_000,
        SetUp::Bridge | SetUp::ScaleOut => 1_000,
    }
}

async fn recalls_against_fetches(set_up: SetUp) {
    let races = races(set_up);
    let surroundings = set_up.surroundings();
    let mut site = Site::new(&["limits.rate_per_s = 100000", "limits.rate_burst = 100000"]);
    surroundings.tell(&mut site);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let started = Instant::now();
    let (mut outcomes, mut fetched) = (BTreeMap::new(), BTreeSet::new());
    for round in 0..races / AT_ONCE {
        let ids: Vec<_> = (0..AT_ONCE).map(|n| format!("m-{round}-{n}")).collect();
        let send = async |id: String| g22.submit(document(&id, &["H49"], id.as_bytes())).await.unwrap();
        stream::iter(ids.clone()).map(send).buffer_unordered(CALLS).for_each(async |_| {}).await;
        let all_recalled = AtomicBool::new(false);
        let serving = Notify::new();
        let recalls = async {
            // Who fetches is there: from here on they race.
            serving.notified().await;
            let recalled = recall_all(&g22, &ids, set_up).await;
            all_recalled.store(true, Ordering::SeqCst);
            recalled
        };
        let (recalled, got) = tokio::join!(recalls, fetch_all(&h49, &ids, (&serving, &all_recalled)));
        outcomes.extend(recalled);
        fetched.extend(got);
    }
    let took = started.elapsed();
    assert_eq!(outcomes.len(), races);
    let asked: BTreeSet<_> =
        outcomes.iter().filter(|(_, e)| **e == ChangeEffect::Asked).map(|(id, _)| id.clone()).collect();
    // What the sender was told of each is what the recipient has.
    assert_eq!(asked, fetched);
    assert!(!asked.is_empty() && asked.len() < races, "both outcomes occur: {} of {races}", asked.len());
    check_receipts(&g22, &outcomes).await;
    check_received(&h49, &outcomes).await;
    println!("{set_up:?}: {races} races, {} were fetched first, in {took:?}", asked.len());
    assert_eq!(gateway.stop(), Some(0));
}

async fn recall_all(g22: &Agency, ids: &[String], set_up: SetUp) -> Vec<(String, ChangeEffect)> {
    // As fast as fetching is, about.
    let calls = if set_up == SetUp::Standalone { CALLS } else { 2 };
    let one = async |id: &String| {
        let acceptance = recall(g22, &format!("r-{id}"), id, &[]).await.unwrap();
        let effect = acceptance.changed.unwrap().deliveries[0].effect();
        (id.clone(), effect)
    };
    stream::iter(ids).map(one).buffer_unordered(calls).collect().await
}

/// Fetches until all documents of the round are decided; gives those that were handed over.
async fn fetch_all(
    h49: &Agency,
    ids: &[String],
    (serving, all_recalled): (&Notify, &AtomicBool),
) -> Vec<String> {
    let mut got = Vec::new();
    loop {
        let is_last = all_recalled.load(Ordering::SeqCst);
        // Recalls of what was handed over come too; when nothing comes any more, all is decided.
        let deliveries = h49.fetch(4, 1).await;
        serving.notify_one();
        if deliveries.is_empty() && is_last {
            break;
        }
        let settlements: Vec<_> = deliveries.iter().map(delivered).collect();
        if !settlements.is_empty() {
            let settled = h49.settle(settlements).await;
            assert!(settled.iter().all(|result| result.state() == DeliveryState::Delivered));
        }
        for delivery in deliveries {
            let envelope = delivery.envelope.unwrap();
            match envelope.kind() {
                MessageKind::Document => got.push(envelope.message_id),
                MessageKind::Recall => {
                    assert!(got.contains(&delivery.about[0].message_id), "asked of who has it")
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(got.iter().all(|id| ids.contains(id)));
    got
}

async fn check_receipts(g22: &Agency, outcomes: &BTreeMap<String, ChangeEffect>) {
    let (receipts, _) = g22.receipts("").await;
    let mut rungs: BTreeMap<String, Vec<ReceiptKind>> = BTreeMap::new();
    for receipt in receipts {
        rungs.entry(receipt.message_id.clone()).or_default().push(receipt.kind());
    }
    for (id, effect) in outcomes {
        let count = |kind| rungs[id].iter().filter(|known| **known == kind).count();
        let cancelled = usize::from(*effect == ChangeEffect::Cancelled);
        let expected = [cancelled, 1 - cancelled, 1 - cancelled, 1 - cancelled];
        let found =
            [ReceiptKind::Cancelled, ReceiptKind::Offered, ReceiptKind::Delivered, ReceiptKind::Requested];
        assert_eq!(found.map(count), expected, "{id}");
    }
}

async fn check_received(h49: &Agency, outcomes: &BTreeMap<String, ChangeEffect>) {
    let (mut token, mut seen) = (String::new(), 0);
    loop {
        let request = v1::ListReceivedRequest { page_size: 200, page_token: token, ..Default::default() };
        let page = soon("list", h49.exchange.clone().list_received(request)).await.unwrap().into_inner();
        for message in page.messages {
            let (envelope, delivery) = (message.envelope.unwrap(), message.delivery.unwrap());
            let Some(effect) = outcomes.get(&envelope.message_id) else { continue };
            let expected = match effect {
                ChangeEffect::Cancelled => (DeliveryState::Cancelled, MessageKind::Unspecified),
                _ => (DeliveryState::Delivered, MessageKind::Recall),
            };
            assert_eq!((delivery.state(), delivery.request()), expected, "{}", envelope.message_id);
            seen += 1;
        }
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, outcomes.len());
}
