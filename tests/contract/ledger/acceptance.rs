//! Points 2 and 4: all or nothing, and acceptance is idempotent.

use std::sync::Arc;

use truc::domain::delivery::{DeliveryId, Progress};
use truc::domain::message::Lane;
use truc::domain::receipt::{Asserter, Receipt, ReceiptKind};
use truc::ledger::{AcceptRefused, Acceptance, Accepted};

use super::inspect::{assert_gapless, seen};
use super::{LedgerUnderTest, Open};
use crate::support::{EXPIRY, forged, letter, message_id, organ, redirected, soon, t, urgent, with};

pub async fn stored_as_it_was_handed_over<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let given = urgent(with(letter("G22", "one", &["H49", "H57.12"]), |message| {
        message.payload = (0..=255).cycle().take(100_000).collect();
        message.header = bytes::Bytes::from_static(b"\0header\xff");
        message.accepted_at = t(77);
    }));
    let accepted = open.accepted(given.clone()).await;
    let expected = Receipt {
        sender_sequence: 1,
        message_sequence: 1,
        kind: ReceiptKind::Accepted,
        sender: organ("G22"),
        message_id: message_id("one"),
        content_hash: given.message.content_hash,
        payload_hash: given.message.payload_hash,
        time: t(77),
        asserted_by: Asserter::Gateway,
        delivery: None,
        cause: None,
        reason: String::new(),
        retry_time: None,
        status: None,
        change: None,
    };
    assert_eq!(accepted.receipt, expected);
    assert!(!accepted.repeated);
    let recipients: Vec<_> = accepted.deliveries.iter().map(|d| d.recipient.as_str()).collect();
    assert_eq!(recipients, ["H49", "H57.12"]);
    let (record, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!(receipts, [expected]);
    assert_eq!(record.payload_bytes, 100_000);
    assert!(record.message.payload.is_empty());
    for (stored, answered) in record.deliveries.iter().zip(&accepted.deliveries) {
        assert_eq!((stored.id, &stored.recipient), (answered.id, &answered.recipient));
        assert_eq!(stored.progress, Progress::accepted(t(EXPIRY)));
        assert_eq!(stored.ended_at, None);
    }
    let messages = soon(open.ledger.messages(vec![record.key])).await.unwrap();
    assert_eq!(messages, [(record.key, given.message)]);
    let ready = soon(open.ledger.ready(&organ("H49"), Lane::Urgent, DeliveryId(0), 9)).await.unwrap();
    assert_eq!(ready.len(), 1);
}

pub async fn a_conflict_is_typed_and_leaves_nothing<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let given = letter("G22", "one", &["H49"]);
    open.accepted(given.clone()).await;
    let before = seen(&*open.ledger, &["G22", "H49", "H05"], t(1), 9).await;
    open.told();
    let mut other = forged(given.clone());
    other.addressees = letter("G22", "one", &["H05"]).addressees;
    let conflict = AcceptRefused::Conflict {
        sender: organ("G22"),
        message_id: message_id("one"),
        accepted: given.message.content_hash,
    };
    assert_eq!(open.accept(vec![other.clone(), other]).await, [Err(conflict.clone()), Err(conflict)]);
    assert_eq!(seen(&*open.ledger, &["G22", "H49", "H05"], t(1), 9).await, before);
    for commit in open.told() {
        assert!(commit.ready.is_empty() && commit.receipt_heads.is_empty() && commit.due.is_none());
    }
}

pub async fn a_refusal_leaves_its_neighbours_alone<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let one = letter("G22", "one", &["H49"]);
    let batch = vec![
        one.clone(),
        forged(one.clone()),
        letter("G22", "two", &["H49", "H05"]),
        one,
        letter("H05", "three", &["H49"]),
    ];
    let answers = open.accept(batch).await;
    let ok: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(ok, [true, false, true, true, true]);
    let numbers = |n: usize| answers[n].as_ref().unwrap().receipt.sender_sequence;
    assert_eq!([numbers(0), numbers(2), numbers(3), numbers(4)], [1, 2, 1, 1]);
    assert_eq!(open.receipts("G22").await.len(), 2);
    assert_eq!(open.receipts("H05").await.len(), 1);
}

fn as_repeated(first: &Accepted) -> Accepted {
    Accepted { repeated: true, ..first.clone() }
}

pub async fn a_repeat_gives_the_first_answer_again<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let given = letter("G22", "one", &["H49", "H05"]);
    // In one batch, in another one, after a reopen; also when other things about it differ than its content.
    let answers = open.accept(vec![given.clone(), given.clone()]).await;
    let [Ok(first), Ok(second)] = &answers[..] else { unreachable!("both are answered: {answers:?}") };
    assert_eq!((first.repeated, second), (false, &as_repeated(first)));
    let late = urgent(with(given.clone(), |message| {
        message.accepted_at = t(500);
        message.expires_at = t(600);
    }));
    assert_eq!(open.accepted(late).await, as_repeated(first));
    let open = open.reopened().await;
    assert_eq!(open.accepted(given).await, as_repeated(first));
    let (record, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!((record.deliveries.len(), receipts.len()), (2, 1));
    assert_eq!(record.message.accepted_at, t(1));
    assert_eq!(soon(open.ledger.tally()).await.unwrap().open.iter().map(|(_, n)| n).sum::<u64>(), 2);
}

pub async fn a_redirected_addressee_comes_again_the_same<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let given = redirected(letter("G22", "one", &["H49"]), "H02", "H05", "09/2025/QĐ-TTg");
    let first = open.accepted(given).await;
    let [plain, moved] = &first.deliveries[..] else { unreachable!("there are two: {first:?}") };
    assert_eq!((plain.recipient.as_str(), &plain.addressed_to), ("H49", &None));
    assert_eq!((moved.recipient.as_str(), &moved.addressed_to), ("H05", &Some(organ("H02"))));
    let open = open.killed().await;
    // The directory may have changed since: what was accepted stays.
    let later = redirected(letter("G22", "one", &["H49"]), "H02", "H57", "another decision");
    assert_eq!(open.accepted(later).await, as_repeated(&first));
    assert_eq!(open.accepted(letter("G22", "one", &["H49", "H02"])).await, as_repeated(&first));
    let receipts = open.receipts("G22").await;
    let kinds: Vec<_> = receipts.iter().map(|receipt| receipt.kind).collect();
    assert_eq!(kinds, [ReceiptKind::Accepted, ReceiptKind::Redirected]);
    let about = receipts[1].delivery.as_ref().unwrap();
    assert_eq!((about.id, &about.recipient, about.attempt), (moved.id, &organ("H05"), 0));
    assert_eq!(about.addressed_to, Some(organ("H02")));
    assert_eq!(receipts[1].reason, "09/2025/QĐ-TTg");
    assert_eq!(receipts[1].asserted_by, Asserter::Gateway);
}

pub async fn ids_belong_to_their_senders<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let one = open.accepted(letter("G22", "one", &["H49"])).await;
    let other = open.accepted(forged(letter("H05", "one", &["H49"]))).await;
    assert!(!one.repeated && !other.repeated);
    assert_eq!((one.receipt.sender_sequence, other.receipt.sender_sequence), (1, 1));
    assert_ne!(one.deliveries[0].id, other.deliveries[0].id);
}

/// Each task repeats the letter among letters of its own; half of all before the kill, half after it.
pub async fn a_thousand_repeats_from_eight_tasks_across_a_kill<L: LedgerUnderTest>() {
    let given = redirected(letter("G22", "one", &["H49", "H57.12"]), "H02", "H05", "09/2025/QĐ-TTg");
    let mut open = Open::<L>::unheard().await;
    let mut answers = Vec::new();
    for (round, times) in [("before", 62), ("after", 63)] {
        if round == "after" {
            open = open.killed().await;
            open.commits.close();
        }
        let tasks: Vec<_> = (0..8)
            .map(|task| letter("G22", &format!("{round}-{task}"), &["H49"]))
            .map(|own| tokio::spawn(repeat(&open, given.clone(), times, own)))
            .collect();
        for task in tasks {
            answers.extend(soon(task).await.unwrap());
        }
    }
    assert_eq!(answers.len(), 1_000);
    let first = answers.iter().find(|accepted| !accepted.repeated).unwrap().clone();
    let repeats = answers.iter().filter(|accepted| **accepted == as_repeated(&first)).count();
    assert_eq!(repeats, answers.len() - 1, "all but the first are repeats of the first");
    let (record, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!((record.deliveries.len(), receipts.len()), (3, 2));
    assert_eq!(receipts[0], first.receipt);
    assert_gapless(&open.receipts("G22").await);
    assert_eq!(open.receipts("G22").await.len(), 2 + 2 * 8);
}

fn repeat<L: LedgerUnderTest>(
    open: &Open<L>,
    given: Acceptance,
    times: usize,
    own: Acceptance,
) -> impl Future<Output = Vec<Accepted>> + use<L> {
    let ledger = Arc::clone(&open.ledger);
    async move {
        let mut own = Some(own);
        let mut answers = Vec::new();
        for _ in 0..times {
            let batch = std::iter::once(given.clone()).chain(own.take()).collect();
            let mut answered = ledger.accept(batch).await.unwrap().await.unwrap();
            answers.push(answered.remove(0).unwrap());
        }
        answers
    }
}
