//! Point 11: recalls, updates and replacements, decided and done with the acceptance of their message.

use std::sync::Arc;

use truc::domain::change::{Answer, ChangeKind, DocumentRef, Effect, NotPlanned, OpenRequest};
use truc::domain::delivery::{DeliveryId, Event, Lease, Outcome, State, StepRefused, Then};
use truc::domain::receipt::{Asserter, Cause, Receipt, ReceiptKind};
use truc::domain::status::{Request, StatusCode};
use truc::ledger::{AcceptRefused, Acceptance, Accepted, Effected, StepError};

use super::inspect::{assert_gapless, seen};
use super::{LedgerUnderTest, Open, Terms};
use crate::support::{
    EXPIRY, letter, message_id, offer, organ, recall, replacement, report, settle, soon, step, t, update,
    with,
};

const ORGANS: [&str; 5] = ["G22", "H49", "H57", "H05", "H02"];

/// A letter to three, of which the first was delivered, the second is in flight, the third waits.
async fn three<L: LedgerUnderTest>(open: &Open<L>) -> [DeliveryId; 3] {
    let accepted = open.accepted(letter("G22", "one", &["H49", "H57", "H05"])).await;
    let [a, b, c] = [0, 1, 2].map(|n| accepted.deliveries[n].id);
    open.step(offer(a, t(2))).await.unwrap();
    open.step(settle(a, "H49", 1, Outcome::Delivered, t(3))).await.unwrap();
    open.step(offer(b, t(3))).await.unwrap();
    [a, b, c]
}

fn effects(accepted: &Accepted) -> Vec<(Effect, Option<DeliveryId>)> {
    let changed = accepted.changed.as_ref().unwrap();
    changed.effects.iter().map(|effected| (effected.effect, effected.carrier)).collect()
}

fn kinds(receipts: &[Receipt], delivery: DeliveryId) -> Vec<ReceiptKind> {
    let its = |receipt: &&Receipt| receipt.delivery.as_ref().is_some_and(|d| d.id == delivery);
    receipts.iter().filter(its).map(|receipt| receipt.kind).collect()
}

async fn record<L: LedgerUnderTest>(open: &Open<L>, id: &str, n: usize) -> truc::ledger::DeliveryRecord {
    open.track("G22", id).await.unwrap().0.deliveries[n].clone()
}

pub async fn a_recall_is_absolute_before_the_offer_and_asks_after_it<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let [a, b, c] = three(&open).await;
    open.told();
    let recalled = open.accepted(at(recall("G22", "back", "one"), 5)).await;
    let carriers: Vec<_> = recalled.deliveries.iter().map(|d| (d.id, d.recipient.as_str())).collect();
    assert_eq!(carriers.iter().map(|(_, organ)| *organ).collect::<Vec<_>>(), ["H49", "H57"]);
    let expected = [
        (Effect::Asked, Some(carriers[0].0)),
        (Effect::Asked, Some(carriers[1].0)),
        (Effect::Cancelled, None),
    ];
    assert_eq!(effects(&recalled), expected);
    let first = &recalled.changed.as_ref().unwrap().effects[0];
    let expected = Effected {
        message_id: message_id("one"),
        delivery: a,
        recipient: organ("H49"),
        addressed_to: None,
        asked: Request::Recall,
        effect: Effect::Asked,
        state: State::Delivered,
        carrier: Some(carriers[0].0),
    };
    assert_eq!(*first, expected);
    // What is told is what is ready: the recall for those who are asked.
    let told: Vec<_> =
        open.told().into_iter().flat_map(|commit| commit.ready).map(|b| b.ready.delivery).collect();
    assert_eq!(told, carriers.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    let open = open.killed().await;
    let (one, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!(one.deliveries[2].progress.state, State::Cancelled);
    assert_eq!(one.deliveries[2].ended_at, Some(t(5)));
    let requests: Vec<_> = one.deliveries.iter().map(|d| d.request).collect();
    assert_eq!(requests, [Some(Request::Recall), Some(Request::Recall), None]);
    assert_eq!(kinds(&receipts, c), [ReceiptKind::Cancelled]);
    let requested: Vec<_> = receipts.iter().filter(|r| r.kind == ReceiptKind::Requested).collect();
    assert_eq!(requested.len(), 2);
    for receipt in requested.into_iter().chain(receipts.iter().filter(|r| r.kind == ReceiptKind::Cancelled)) {
        let change = receipt.change.as_ref().unwrap();
        assert_eq!((change.message_id.as_str(), change.asked), ("back", Request::Recall));
        assert_eq!((receipt.reason.as_str(), &receipt.asserted_by), ("nhầm", &Asserter::Organ(organ("G22"))));
    }
    let never = open.step(offer(c, t(6))).await;
    assert_eq!(never, Err(StepError::Refused(StepRefused::NotReady)), "nobody gets it any more");
    let carried = open.step(offer(carriers[0].0, t(6))).await.unwrap();
    let about: Vec<_> =
        carried.about.iter().map(|about| (about.message_id.as_str(), about.delivery)).collect();
    assert_eq!((about, carried.is_notice), (vec![("one", a)], false));
    assert!(open.step(offer(c, t(6))).await.is_err());
    let b_again = open.step(settle(b, "H57", 1, Outcome::Delivered, t(7))).await.unwrap();
    assert!(b_again.about.is_empty(), "what is asked back is not what asks");
    assert_gapless(&open.receipts("G22").await);
}

fn at(letter: Acceptance, seconds: i64) -> Acceptance {
    with(letter, |message| message.accepted_at = t(seconds))
}

pub async fn an_answer_ends_the_request<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let [a, b, _] = three(&open).await;
    open.accepted(at(recall("G22", "back", "one"), 5)).await;
    let agreed = open.report(report(a, "H49", StatusCode::ChangeAgreed, "", t(6))).await.unwrap().receipt;
    let change = agreed.change.as_ref().unwrap();
    assert_eq!((change.message_id.as_str(), change.asked), ("back", Request::Recall));
    // The document was delivered and given back: its transport has ended long since, its business now.
    let given_back = record(&open, "one", 0).await;
    assert_eq!((given_back.progress.state, given_back.request), (State::Delivered, None));
    assert_eq!(given_back.status, Some(StatusCode::ChangeAgreed));
    let late = open.report(report(a, "H49", StatusCode::Accepted, "", t(7))).await;
    assert!(late.is_err(), "nothing more becomes of it");
    // One still on its way ends with the answer, whatever its holder says afterwards.
    open.report(report(b, "H57", StatusCode::ChangeAgreed, "", t(7))).await.unwrap();
    assert_eq!(record(&open, "one", 1).await.progress.state, State::Cancelled);
    let late = open.step(settle(b, "H57", 1, Outcome::Delivered, t(8))).await;
    assert_eq!(late, Err(StepError::Refused(StepRefused::Ended(State::Cancelled))));
    let (_, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!(
        kinds(&receipts, b),
        [ReceiptKind::Offered, ReceiptKind::Requested, ReceiptKind::Status, ReceiptKind::Cancelled]
    );
    let left = open.accept(vec![recall("G22", "again", "one")]).await.remove(0);
    assert!(matches!(left, Err(AcceptRefused::NotPossible(NotPlanned::NothingLeft(_)))), "{left:?}");
    // A refusal leaves the document where it is, and the sender may ask again.
    let d = open.accepted(letter("G22", "two", &["H49"])).await.deliveries[0].id;
    open.step(offer(d, t(8))).await.unwrap();
    open.accepted(recall("G22", "back-two", "two")).await;
    open.report(report(d, "H49", StatusCode::ChangeRefused, "đã xử lý", t(9))).await.unwrap();
    let kept = record(&open, "two", 0).await;
    assert_eq!((kept.request, kept.status, kept.progress.state), (None, None, State::InFlight));
    open.accepted(recall("G22", "back-two-again", "two")).await;
    let (two, _) = open.track("G22", "two").await.unwrap();
    let answers: Vec<_> = soon(open.ledger.lineage(two.key)).await.unwrap();
    let answers: Vec<_> = answers.iter().flat_map(|link| &link.effects).map(|(_, answer)| *answer).collect();
    assert_eq!(answers, [Some(Answer::Refused), None]);
    assert_gapless(&open.receipts("G22").await);
}

pub async fn a_second_request_is_refused_as_a_whole<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let [a, ..] = three(&open).await;
    open.accepted(recall("G22", "first", "one")).await;
    open.accepted(letter("G22", "other", &["H02"])).await;
    let before = seen(&*open.ledger, &ORGANS, t(50), 9).await;
    open.told();
    let by = message_id("first");
    let open_request = OpenRequest { delivery: a, recipient: organ("H49"), by };
    let mut both = recall("G22", "second", "other");
    both.change.as_mut().unwrap().targets.push(truc::domain::change::Target {
        document: DocumentRef::Message(message_id("one")),
        recipients: vec![organ("H49")],
    });
    let mut unknown = recall("G22", "third", "nothing");
    unknown.change.as_mut().unwrap().kind = ChangeKind::Recall;
    let answers = open.accept(vec![both, unknown, recall("H49", "foreign", "one")]).await;
    let not_known = |id: &str| Err(AcceptRefused::TargetUnknown(DocumentRef::Message(message_id(id))));
    assert_eq!(
        answers,
        [
            Err(AcceptRefused::NotPossible(NotPlanned::Asked(open_request))),
            not_known("nothing"),
            not_known("one"),
        ]
    );
    assert_eq!(seen(&*open.ledger, &ORGANS, t(50), 9).await, before);
    assert!(open.told().iter().all(|commit| commit.ready.is_empty() && commit.receipt_heads.is_empty()));
}

pub async fn a_repeated_change_gives_the_first_answer<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let [a, ..] = three(&open).await;
    let mut letter = update("G22", "two", &["H49", "H02"], "one");
    letter.change.as_mut().unwrap().removed.push(organ("H57"));
    letter.change.as_mut().unwrap().known_only = false;
    letter.change.as_mut().unwrap().targets.push(truc::domain::change::Target {
        document: DocumentRef::Document("không có".into()),
        recipients: Vec::new(),
    });
    let first = open.accepted(letter.clone()).await;
    assert_eq!(first.changed.as_ref().unwrap().unknown, ["không có"]);
    let in_one = open.accept(vec![letter.clone(), letter.clone()]).await;
    open.report(report(a, "H49", StatusCode::ChangeAgreed, "", t(9))).await.unwrap();
    let open = open.killed().await;
    let again = open.accepted(letter).await;
    assert_eq!(again, Accepted { repeated: true, ..first });
    assert!(in_one.into_iter().all(|answer| answer.unwrap() == again));
}

pub async fn an_update_keeps_adds_and_removes<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let [a, b, c] = three(&open).await;
    let mut two = at(update("G22", "two", &["H49", "H02"], "one"), 5);
    two.change.as_mut().unwrap().removed = vec![organ("H57"), organ("H05")];
    let updated = open.accepted(two).await;
    let got: Vec<_> = updated.deliveries.iter().map(|d| d.recipient.as_str()).collect();
    assert_eq!(got, ["H49", "H02", "H57"], "who stays, who comes, and a notice to who goes");
    let asked: Vec<_> =
        updated.changed.as_ref().unwrap().effects.iter().map(|e| (e.delivery, e.asked)).collect();
    assert_eq!(asked, [(a, Request::Update), (b, Request::Recall), (c, Request::Recall)]);
    let notice = open.step(offer(updated.deliveries[2].id, t(6))).await.unwrap();
    assert!(notice.is_notice && notice.about[0].delivery == b);
    let stays = open.step(offer(updated.deliveries[0].id, t(6))).await.unwrap();
    assert!(!stays.is_notice && stays.about[0].asked == Request::Update);
    assert!(open.step(offer(updated.deliveries[1].id, t(6))).await.unwrap().about.is_empty());
    let (record, _) = open.track("G22", "two").await.unwrap();
    assert_eq!(record.deliveries.iter().map(|d| d.is_notice).collect::<Vec<_>>(), [false, false, true]);
    open.report(report(a, "H49", StatusCode::ChangeAgreed, "", t(7))).await.unwrap();
    let after = open.report(report(a, "H49", StatusCode::Accepted, "", t(8))).await;
    assert!(after.is_ok(), "an update agreed to is no end of the document");
}

pub async fn of_two_updates_one_wins<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    open.accepted(letter("G22", "one", &["H49"])).await;
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let ledger = Arc::clone(&open.ledger);
            tokio::spawn(async move {
                let batch = vec![update("G22", &format!("u{n}"), &["H49"], "one")];
                ledger.accept(batch).await.unwrap().await.unwrap().remove(0)
            })
        })
        .collect();
    let mut winners = Vec::new();
    let mut losers = Vec::new();
    for task in tasks {
        match soon(task).await.unwrap() {
            Ok(accepted) => winners.push(accepted.receipt.message_id),
            Err(AcceptRefused::NotPossible(NotPlanned::Superseded { by, .. })) => losers.push(by),
            other => unreachable!("{other:?}"),
        }
    }
    assert_eq!((winners.len(), losers.len()), (1, 7));
    assert!(losers.iter().all(|by| *by == winners[0]), "each is told who was first");
}

pub async fn a_replacement_of_two_and_its_chain<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let [a, ..] = three(&open).await;
    let other = open.accepted(letter("G22", "other", &["H02"])).await.deliveries[0].id;
    let mut new = replacement("G22", "new", &["H49"], "one");
    new.change.as_mut().unwrap().targets[0].recipients = vec![organ("H49")];
    new.change.as_mut().unwrap().targets.push(truc::domain::change::Target {
        document: DocumentRef::Message(message_id("other")),
        recipients: Vec::new(),
    });
    let replaced = open.accepted(new).await;
    assert_eq!(
        effects(&replaced),
        [(Effect::Asked, Some(replaced.deliveries[0].id)), (Effect::Cancelled, None)]
    );
    open.report(report(a, "H49", StatusCode::ChangeAgreed, "", t(9))).await.unwrap();
    open.accepted(recall("G22", "back", "new")).await;
    let open = open.killed().await;
    let mut chains = Vec::new();
    for id in ["one", "other", "new", "back"] {
        let (record, _) = open.track("G22", id).await.unwrap();
        chains.push(soon(open.ledger.lineage(record.key)).await.unwrap());
    }
    assert!(chains.iter().all(|chain| *chain == chains[0]), "the same from any link");
    let chain = &chains[0];
    let ids: Vec<_> = chain.iter().map(|link| link.record.message.message_id.as_str()).collect();
    assert_eq!(ids, ["one", "other", "new", "back"]);
    let targets: Vec<Vec<_>> =
        chain.iter().map(|l| l.targets.iter().map(|id| id.as_str()).collect()).collect();
    assert_eq!(targets, [vec![], vec![], vec!["one", "other"], vec!["new"]]);
    let answers: Vec<_> = chain[2].effects.iter().map(|(e, answer)| (e.delivery, *answer)).collect();
    assert_eq!(answers, [(a, Some(Answer::Agreed)), (other, None)]);
    let (alone, _) = open.track("G22", "one").await.unwrap();
    assert!(alone.deliveries.iter().all(|d| d.request.is_none()));
    let nobody = open.accepted(letter("G22", "plain", &["H49"])).await;
    assert!(nobody.changed.is_none());
    let (plain, _) = open.track("G22", "plain").await.unwrap();
    assert_eq!(soon(open.ledger.lineage(plain.key)).await.unwrap(), []);
}

/// A request ends when what it is about, or what carries it, ends without the recipient.
pub async fn a_request_without_an_end_lapses<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let [a, b, _] = three(&open).await;
    let recalled = open.accepted(at(recall("G22", "back", "one"), 5)).await;
    let carrier = recalled.deliveries[0].id;
    // Nobody fetched the recall; it is taken back itself.
    let undone = open.accepted(at(recall("G22", "undo", "back"), 6)).await;
    assert_eq!(effects(&undone), [(Effect::Cancelled, None), (Effect::Cancelled, None)]);
    let (one, receipts) = open.track("G22", "one").await.unwrap();
    assert!(one.deliveries.iter().all(|delivery| delivery.request.is_none()));
    assert_eq!(kinds(&receipts, a).last(), Some(&ReceiptKind::Lapsed));
    assert_eq!(kinds(&receipts, b).last(), Some(&ReceiptKind::Lapsed));
    let (back, _) = open.track("G22", "back").await.unwrap();
    assert_eq!(back.deliveries[0].progress.state, State::Cancelled);
    assert!(back.deliveries[0].id == carrier);
    // A document that ends while it is asked back.
    open.accepted(at(recall("G22", "back-2", "one"), 7)).await;
    open.step(settle(b, "H57", 1, Outcome::Rejected { reason: "không".into() }, t(8))).await.unwrap();
    let (one, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!((one.deliveries[0].request, one.deliveries[1].request), (Some(Request::Recall), None));
    let last: Vec<_> = kinds(&receipts, b).into_iter().rev().take(2).collect();
    assert_eq!(last, [ReceiptKind::Lapsed, ReceiptKind::Rejected]);
    // The recall expires unfetched.
    let (back, _) = open.track("G22", "back-2").await.unwrap();
    open.step(step(back.deliveries[0].id, Event::Due, t(EXPIRY))).await.unwrap();
    assert_eq!(record(&open, "one", 0).await.request, None);
    let refused = open.report(report(a, "H49", StatusCode::ChangeAgreed, "", t(9))).await;
    assert!(refused.is_err(), "there is nothing to answer any more");
    assert_gapless(&open.receipts("G22").await);
}

/// What is asked back is handed to nobody else; and what asks follows its recipient, who may answer.
pub async fn a_closing_between_request_and_answer<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let sent = open.accepted(letter("G22", "one", &["H02", "H57"])).await;
    let [a, b] = [0, 1].map(|n| sent.deliveries[n].id);
    open.step(offer(a, t(2))).await.unwrap();
    open.step(settle(a, "H02", 1, Outcome::Delivered, t(2))).await.unwrap();
    open.step(offer(b, t(2))).await.unwrap();
    let recalled = open.accepted(at(recall("G22", "back", "one"), 3)).await;
    let redirect = |id, to: &str, at| {
        step(
            id,
            Event::Redirect {
                to: organ(to),
                legal_basis: "09/2025/QĐ-TTg".into(),
                acknowledge_by: t(EXPIRY),
            },
            at,
        )
    };
    // The recall of what H02 has goes to who took over.
    open.step(redirect(recalled.deliveries[0].id, "H05", t(4))).await.unwrap();
    let (back, _) = open.track("G22", "back").await.unwrap();
    let moved = back.deliveries.iter().find(|d| d.recipient == organ("H05")).unwrap().id;
    let offered = open.step(offer(moved, t(5))).await.unwrap();
    assert_eq!(offered.about[0].delivery, a);
    let strange = open.report(report(a, "H49", StatusCode::ChangeAgreed, "", t(6))).await;
    assert!(strange.is_err());
    open.report(report(a, "H05", StatusCode::ChangeAgreed, "", t(6))).await.unwrap();
    assert_eq!(record(&open, "one", 0).await.status, Some(StatusCode::ChangeAgreed));
    // What H57 was offered and did not take is redirected to nobody.
    open.step(step(b, Event::Due, t(100))).await.unwrap();
    let ended = open.step(redirect(b, "H05", t(101))).await.unwrap();
    assert_eq!(ended.progress.state, State::Cancelled);
    let (one, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!((one.deliveries.len(), one.deliveries[1].request), (2, None));
    let change = receipts.iter().find(|r| r.kind == ReceiptKind::Cancelled).unwrap().change.as_ref().unwrap();
    assert_eq!(change.message_id.as_str(), "back");
}

/// What was handed over with one call, in one commit.
pub async fn a_document_and_its_changes_in_one_batch<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let batch = vec![
        letter("G22", "one", &["H49", "H57"]),
        update("G22", "two", &["H49"], "one"),
        recall("G22", "back", "two"),
        recall("G22", "back-one", "one"),
        recall("G22", "back-all", "one"),
    ];
    let answers = open.accept(batch.clone()).await;
    let accepted: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, true, true, true, false], "{answers:?}");
    let open = open.killed().await;
    let again = open.accept(batch).await;
    for (first, again) in answers.into_iter().zip(again).take(4) {
        assert_eq!(again.unwrap(), Accepted { repeated: true, ..first.unwrap() });
    }
    for id in ["one", "two"] {
        let (record, _) = open.track("G22", id).await.unwrap();
        assert!(record.deliveries.iter().all(|d| d.progress.state == State::Cancelled), "{id}");
    }
    assert_eq!(soon(open.ledger.tally()).await.unwrap().oldest_open, None);
    assert_gapless(&open.receipts("G22").await);
}

/// A recall of a document id means all messages of it; its own is not known by it. The bound of mailboxes holds for what asks.
pub async fn documents_by_their_id_and_full_mailboxes<L: LedgerUnderTest>() {
    let open = Open::<L>::on(Terms { mailbox_deliveries_max: 2, ..Terms::default() }).await;
    let of = |letter: Acceptance| Acceptance { document_id: Some("7816/VPCP".into()), ..letter };
    let first = open.accepted(of(letter("G22", "one", &["H49"]))).await.deliveries[0].id;
    open.step(offer(first, t(2))).await.unwrap();
    open.accepted(of(letter("G22", "two", &["H57"]))).await;
    let mut back = of(recall("G22", "back", "one"));
    back.change.as_mut().unwrap().targets[0].document = DocumentRef::Document("7816/VPCP".into());
    open.accepted(letter("G22", "full", &["H49"])).await;
    let full = open.accept(vec![back.clone()]).await.remove(0);
    assert_eq!(full, Err(AcceptRefused::MailboxFull { organ: organ("H49"), open: 2 }));
    assert_eq!(record(&open, "two", 0).await.progress.state, State::Queued, "nothing of it was done");
    open.step(settle(first, "H49", 1, Outcome::Delivered, t(3))).await.unwrap();
    let recalled = open.accepted(back).await;
    assert_eq!(
        effects(&recalled),
        [(Effect::Asked, Some(recalled.deliveries[0].id)), (Effect::Cancelled, None)]
    );
    let find = async |answers| {
        soon(open.ledger.delivery_of(&organ("G22"), "7816/VPCP", &organ("H49"), answers)).await.unwrap()
    };
    assert_eq!((find(true).await, find(false).await), (Some(first), Some(first)));
    let between = soon(open.ledger.between(first)).await.unwrap();
    assert_eq!(between, Some((organ("G22"), message_id("one"), organ("H49"))));
    for nobody in [0, 1 << 50, u64::MAX] {
        assert_eq!(soon(open.ledger.between(DeliveryId(nobody))).await.unwrap(), None);
    }
}

/// Recalls against offers, handed over at once: each delivery has one outcome, and both sides the same.
pub async fn recalls_against_offers<L: LedgerUnderTest>() {
    const LETTERS: usize = 200;
    let open = Open::<L>::unheard().await;
    let mut ids = Vec::new();
    for n in 0..LETTERS {
        ids.push(open.accepted(letter("G22", &format!("m{n}"), &["H49"])).await.deliveries[0].id);
    }
    let (fetching, recalling) = (Arc::clone(&open.ledger), Arc::clone(&open.ledger));
    let offers = tokio::spawn(async move {
        let mut offered = Vec::new();
        for id in ids {
            let answer = fetching.step(vec![offer(id, t(2))]).await.unwrap().await.unwrap().remove(0);
            offered.push(answer.is_ok());
        }
        offered
    });
    let mut outcomes = Vec::new();
    for n in 0..LETTERS {
        let batch = vec![recall("G22", &format!("r{n}"), &format!("m{n}"))];
        let accepted = recalling.accept(batch).await.unwrap().await.unwrap().remove(0).unwrap();
        outcomes.push(effects(&accepted)[0].0);
    }
    let offered = soon(offers).await.unwrap();
    for (n, (offered, effect)) in offered.into_iter().zip(outcomes).enumerate() {
        let expected = if offered { Effect::Asked } else { Effect::Cancelled };
        assert_eq!(effect, expected, "m{n}");
        let state = record(&open, &format!("m{n}"), 0).await.progress.state;
        assert_eq!(state == State::Cancelled, !offered);
    }
}

pub async fn what_was_never_sent_is_taken_back_at_once<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let accepted = open.accepted(letter("G22", "one", &["H49", "H57"])).await;
    let [unsent, sent] = [0, 1].map(|n| accepted.deliveries[n].id);
    let spare = |delivery, lease, unsent| {
        let (cause, then) = (Cause::PushUnreachable, Then::Spare { retry_at: t(9), unsent });
        let event = Event::NotTaken { lease: Lease(lease), cause, reason: "why".into(), then };
        step(delivery, event, t(3))
    };
    for attempt in 1..=3 {
        for delivery in [unsent, sent] {
            open.step(offer(delivery, t(2))).await.unwrap();
            open.step(spare(delivery, attempt, delivery == unsent || attempt == 3)).await.unwrap();
        }
    }
    let mut open = open.killed().await;
    let early = open.report(report(unsent, "H49", StatusCode::Arrived, "", t(4))).await;
    assert!(early.is_err(), "nobody was handed it");
    assert_eq!(record(&open, "one", 0).await.progress.unsent, 3);
    open.told();
    let recalled = open.accepted(at(recall("G22", "back", "one"), 5)).await;
    assert_eq!(
        effects(&recalled).iter().map(|(effect, _)| *effect).collect::<Vec<_>>(),
        [Effect::Cancelled, Effect::Asked]
    );
    assert_eq!(record(&open, "one", 0).await.progress.state, State::Cancelled);
    let receipts = open.receipts("G22").await;
    assert_eq!(kinds(&receipts, unsent).last(), Some(&ReceiptKind::Cancelled));
    assert_eq!(kinds(&receipts, sent).last(), Some(&ReceiptKind::Requested));
    assert_gapless(&receipts);
}
