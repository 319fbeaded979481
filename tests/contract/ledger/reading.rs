//! What each reader promises.

use bytes::Bytes;
use truc::domain::delivery::{DeliveryId, Event, Hold, Outcome, State};
use truc::domain::message::Lane;
use truc::ledger::{MessageKey, MessageRecord, Tally};

use super::{LedgerUnderTest, Open, inspect};
use crate::support::{
    EXPIRY, dropped, letter, offer, organ, redirected, settle, soon, step, t, urgent, with,
};

/// Ten letters from G22 to H49, of which every third is urgent and every second goes to H05 also.
pub async fn ten<L: LedgerUnderTest>(open: &Open<L>) -> Vec<DeliveryId> {
    let letters = (0..10).map(|n| {
        let to: &[&str] = if n % 2 == 0 { &["H49", "H05"] } else { &["H49"] };
        let letter = with(letter("G22", &format!("m{n}"), to), |message| message.accepted_at = t(100 + n));
        if n % 3 == 0 { urgent(letter) } else { letter }
    });
    let answers = open.accept(letters.collect()).await;
    answers.into_iter().map(|answer| answer.unwrap().deliveries[0].id).collect()
}

pub async fn ready_by_lane_and_page<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let ids = ten(&open).await;
    let of = |numbers: &[usize]| numbers.iter().map(|n| ids[*n]).collect::<Vec<_>>();
    for page in [1, 2, 100] {
        for (lane, expected) in [(Lane::Urgent, of(&[0, 3, 6, 9])), (Lane::Normal, of(&[1, 2, 4, 5, 7, 8]))] {
            let ready = inspect::ready(&*open.ledger, &organ("H49"), lane, page).await;
            assert_eq!(ready.iter().map(|one| one.delivery).collect::<Vec<_>>(), expected);
            assert!(ready.iter().all(|one| one.payload_bytes == "payload of m0".len() as u64));
        }
    }
    for limit in [1, 4, 5, 10, 99] {
        let expected = [of(&[0, 3, 6, 9]), of(&[1, 2, 4, 5, 7, 8])].concat();
        let mailbox = soon(open.ledger.ready_in_lanes(&organ("H49"), limit)).await.unwrap();
        let found: Vec<_> = mailbox.iter().map(|(_, ready)| ready.delivery).collect();
        assert_eq!(found, expected[..limit.min(expected.len())]);
        let lanes = [[Lane::Urgent; 4].as_slice(), &[Lane::Normal; 6]].concat();
        assert!(mailbox.iter().map(|(lane, _)| *lane).eq(lanes.into_iter().take(limit)));
    }
    assert!(soon(open.ledger.ready_in_lanes(&organ("H60"), 9)).await.unwrap().is_empty());
    open.step(offer(ids[3], t(200))).await.unwrap();
    let page = soon(open.ledger.ready(&organ("H49"), Lane::Urgent, ids[0], 2)).await.unwrap();
    assert_eq!(page.iter().map(|one| one.delivery).collect::<Vec<_>>(), of(&[6, 9]));
    let key = open.track("G22", "m6").await.unwrap().0.key;
    assert_eq!(page[0].message, key);
    assert!(inspect::ready(&*open.ledger, &organ("H60"), Lane::Normal, 9).await.is_empty());
}

pub async fn messages_with_their_payloads<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let given = [
        letter("G22", "plain", &["H49"]),
        with(letter("G22", "empty", &["H49"]), |message| {
            (message.header, message.payload) = (Bytes::new(), Bytes::new());
        }),
        with(letter("G22", "large", &["H49"]), |message| message.payload = vec![0xa5; 3_000_000].into()),
    ];
    open.accept(given.to_vec()).await;
    let mut sent = soon(open.ledger.sent(&organ("G22"), None, 9)).await.unwrap();
    sent.reverse();
    assert_eq!(sent.iter().map(|record| record.payload_bytes).collect::<Vec<_>>(), [16, 0, 3_000_000]);
    let keys: Vec<_> = sent.iter().map(|record| record.key).collect();
    let wanted = vec![keys[2], MessageKey(keys[2].0 + 1_000), keys[0], keys[1]];
    let mut found = soon(open.ledger.messages(wanted)).await.unwrap();
    found.sort_by_key(|(key, _)| *key);
    let expected: Vec<_> = keys.into_iter().zip(given).map(|(key, given)| (key, given.message)).collect();
    assert!(found == expected, "found {:?}", found.iter().map(|(key, _)| key).collect::<Vec<_>>());
}

pub async fn due_longest_first<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    assert_eq!(soon(open.ledger.next_due()).await.unwrap(), None);
    let ids = ten(&open).await;
    assert_eq!(soon(open.ledger.next_due()).await.unwrap(), Some(t(EXPIRY)));
    // The later offered, the earlier due.
    for (n, until) in [(1, 500), (2, 400), (3, 300), (4, 200)] {
        let event = Event::Offer { hold: Hold::Fetch, until: t(until) };
        open.step(step(ids[n], event, t(150))).await.unwrap();
    }
    assert_eq!(soon(open.ledger.next_due()).await.unwrap(), Some(t(200)));
    let ledger = &open.ledger;
    let due = |now, limit| async move { soon(ledger.due(now, limit)).await.unwrap() };
    assert_eq!(due(t(199), 9).await, []);
    assert_eq!(due(t(200), 9).await, [ids[4]]);
    assert_eq!(due(t(499), 9).await, [ids[4], ids[3], ids[2]]);
    assert_eq!(due(t(500), 2).await, [ids[4], ids[3]]);
    assert_eq!(due(t(EXPIRY), 100).await.len(), 15, "all that are open");
    assert_eq!(due(t(EXPIRY), 100).await[..4], [ids[4], ids[3], ids[2], ids[1]]);
}

pub async fn held_by_streams_across_a_restart<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let ids = ten(&open).await;
    for id in &ids[..5] {
        open.step(offer(*id, t(200))).await.unwrap();
    }
    // Not on a stream: on a fetch, settled, ready again. Attempts are those of now.
    let fetch = Event::Offer { hold: Hold::Fetch, until: t(300) };
    open.step(step(ids[5], fetch, t(200))).await.unwrap();
    open.step(settle(ids[0], "H49", 1, Outcome::Delivered, t(201))).await.unwrap();
    open.step(dropped(ids[1], 1, t(201))).await.unwrap();
    open.step(dropped(ids[2], 1, t(201))).await.unwrap();
    open.step(offer(ids[2], t(202))).await.unwrap();
    let open = open.killed().await;
    let mut held = soon(open.ledger.held_by_streams(100)).await.unwrap();
    held.sort();
    assert_eq!(held, [(ids[2], 2), (ids[3], 1), (ids[4], 1)]);
    // Page by page, as a restart goes about it.
    let mut pages = 0;
    loop {
        let held = soon(open.ledger.held_by_streams(2)).await.unwrap();
        assert!(held.len() <= 2);
        if held.is_empty() {
            break;
        }
        let steps = held.into_iter().map(|(id, attempt)| dropped(id, attempt, t(203))).collect();
        assert!(open.steps(steps).await.iter().all(Result::is_ok));
        pages += 1;
    }
    assert_eq!(pages, 2);
}

pub async fn tracked_by_their_sender_only<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let given = redirected(letter("G22", "one", &["H49", "H57"]), "H02", "H05", "09/2025/QĐ-TTg");
    let accepted = open.accepted(given).await;
    open.accepted(letter("H05", "one", &["G22"])).await;
    let ids: Vec<_> = accepted.deliveries.iter().map(|delivery| delivery.id).collect();
    open.step(offer(ids[1], t(5))).await.unwrap();
    open.step(settle(ids[1], "H57", 1, Outcome::Delivered, t(6))).await.unwrap();
    let (record, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!(record.deliveries.iter().map(|delivery| delivery.id).collect::<Vec<_>>(), ids);
    let states: Vec<_> = record.deliveries.iter().map(|delivery| delivery.progress.state).collect();
    assert_eq!(states, [State::Queued, State::Delivered, State::Queued]);
    let ended: Vec<_> = record.deliveries.iter().map(|delivery| delivery.ended_at).collect();
    assert_eq!(ended, [None, Some(t(6)), None]);
    let addressed: Vec<_> = record.deliveries.iter().map(|delivery| delivery.addressed_to.clone()).collect();
    assert_eq!(addressed, [None, None, Some(organ("H02"))]);
    assert_eq!(receipts.len(), 4);
    let (other, receipts) = open.track("H05", "one").await.unwrap();
    assert_ne!(other.key, record.key);
    assert_eq!(receipts.len(), 1);
    for (sender, id) in [("H49", "one"), ("H60", "one"), ("G22", "two"), ("G22", "ONE"), ("H02", "one")] {
        assert_eq!(open.track(sender, id).await, None, "{id} of {sender}");
    }
}

fn ids(records: &[MessageRecord]) -> Vec<&str> {
    records.iter().map(|record| record.message.message_id.as_str()).collect()
}

pub async fn sent_newest_first<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    ten(&open).await;
    open.accepted(letter("H05", "other", &["H49"])).await;
    let all = inspect::sent(&*open.ledger, &organ("G22"), 100).await;
    assert_eq!(ids(&all), ["m9", "m8", "m7", "m6", "m5", "m4", "m3", "m2", "m1", "m0"]);
    for page in [1, 3, 5, 10] {
        assert_eq!(inspect::sent(&*open.ledger, &organ("G22"), page).await, all, "by {page}");
    }
    assert_eq!(all[9].deliveries.len(), 2);
    let before = soon(open.ledger.sent(&organ("G22"), Some(all[7].key), 2)).await.unwrap();
    assert_eq!(ids(&before), ["m1", "m0"]);
    assert!(inspect::sent(&*open.ledger, &organ("H49"), 9).await.is_empty());
    assert!(inspect::sent(&*open.ledger, &organ("H60"), 9).await.is_empty());
}

pub async fn received_newest_first<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let ids_of = ten(&open).await;
    let all = inspect::received(&*open.ledger, &organ("H05"), false, 100).await;
    assert_eq!(ids(&all), ["m8", "m6", "m4", "m2", "m0"]);
    for record in &all {
        let recipients: Vec<_> = record.deliveries.iter().map(|d| d.recipient.clone()).collect();
        assert_eq!(recipients, [organ("H05")], "its own delivery only");
        assert_eq!(record.message.sender, organ("G22"));
    }
    for (n, end) in [(8, Outcome::Delivered), (7, Outcome::Rejected { reason: "no".into() })] {
        open.step(offer(ids_of[n], t(200))).await.unwrap();
        open.step(settle(ids_of[n], "H49", 1, end, t(201))).await.unwrap();
    }
    open.step(offer(ids_of[6], t(200))).await.unwrap();
    let all = inspect::received(&*open.ledger, &organ("H49"), false, 100).await;
    assert_eq!(ids(&all), ["m9", "m8", "m7", "m6", "m5", "m4", "m3", "m2", "m1", "m0"]);
    let still = inspect::received(&*open.ledger, &organ("H49"), true, 100).await;
    assert_eq!(ids(&still), ["m9", "m6", "m5", "m4", "m3", "m2", "m1", "m0"]);
    for page in [1, 3, 7] {
        assert_eq!(inspect::received(&*open.ledger, &organ("H49"), false, page).await, all, "by {page}");
        assert_eq!(inspect::received(&*open.ledger, &organ("H49"), true, page).await, still, "by {page}");
    }
    assert!(inspect::received(&*open.ledger, &organ("G22"), false, 9).await.is_empty());
}

fn counted(tally: &Tally, state: State) -> u64 {
    tally.open.iter().filter(|(found, _)| *found == state).map(|(_, count)| count).sum()
}

pub async fn tally_of_the_open<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    assert_eq!(soon(open.ledger.tally()).await.unwrap(), Tally::default());
    let ids = ten(&open).await;
    for id in &ids[..3] {
        open.step(offer(*id, t(200))).await.unwrap();
    }
    let later = Outcome::Deferred { reason: "busy".into(), retry_at: Some(t(900)) };
    open.step(settle(ids[1], "H49", 1, later, t(201))).await.unwrap();
    let open = open.killed().await;
    let tally = soon(open.ledger.tally()).await.unwrap();
    let counts = [State::Queued, State::InFlight, State::Waiting].map(|state| counted(&tally, state));
    assert_eq!(counts, [12, 2, 1]);
    assert_eq!(tally.open.iter().map(|(_, count)| count).sum::<u64>(), 15);
    assert_eq!((tally.oldest_open, tally.newest), (Some(t(100)), Some(t(109))));
    // The oldest message goes when its last delivery has ended.
    open.step(settle(ids[0], "H49", 1, Outcome::Delivered, t(202))).await.unwrap();
    assert_eq!(soon(open.ledger.tally()).await.unwrap().oldest_open, Some(t(100)));
    let other = open.track("G22", "m0").await.unwrap().0.deliveries[1].id;
    open.step(offer(other, t(203))).await.unwrap();
    open.step(settle(other, "H05", 1, Outcome::Delivered, t(204))).await.unwrap();
    let tally = soon(open.ledger.tally()).await.unwrap();
    assert_eq!((counted(&tally, State::InFlight), tally.oldest_open), (1, Some(t(101))));
    assert_eq!(counted(&tally, State::Delivered), 0, "ended ones are not open");
}

pub async fn probe_writes<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    for _ in 0..3 {
        soon(open.ledger.probe()).await.unwrap();
    }
    let open = open.killed().await;
    soon(open.ledger.probe()).await.unwrap();
    assert_eq!(soon(open.ledger.tally()).await.unwrap(), Tally::default(), "harmless");
}
