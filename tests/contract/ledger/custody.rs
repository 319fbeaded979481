//! Points 11 and 12: payloads go when their time has come, and stay while an operator holds them.

use std::sync::Arc;

use bytes::Bytes;
use truc::domain::delivery::{Event, Outcome};
use truc::domain::message::Hash;
use truc::domain::receipt::{Asserter, ReceiptKind};
use truc::domain::retention::{Held, HoldId};
use truc::domain::status::StatusCode;
use truc::domain::time::Timestamp;
use truc::ledger::{
    AcceptRefused, Accepted, Hold, HoldError, HoldRequest, MessageKey, PurgeRequest, Purged, ReleaseRequest,
    StatusFile,
};

use super::inspect::assert_gapless;
use super::{LedgerUnderTest, Open};
use crate::support::{forged, letter, message_id, offer, organ, redirected, report, settle, soon, step, t};

impl<L: LedgerUnderTest> Open<L> {
    pub async fn key(&self, sender: &str, id: &str) -> MessageKey {
        self.track(sender, id).await.unwrap().0.key
    }

    async fn purge(&self, sender: &str, id: &str, ended_until: Timestamp, at: Timestamp) -> Purged {
        let (message, sender) = (self.key(sender, id).await, organ(sender));
        let batch = vec![PurgeRequest { message, sender, ended_until, at }];
        soon(soon(self.ledger.purge(batch)).await.unwrap()).await.unwrap().remove(0)
    }

    /// The ids of messages with something that may be to go.
    async fn kept(&self, until: Timestamp) -> Vec<MessageKey> {
        soon(self.ledger.kept(until, 100)).await.unwrap().into_iter().map(|kept| kept.message).collect()
    }

    async fn kept_since(&self) -> Option<Timestamp> {
        soon(self.ledger.kept_since()).await.unwrap()
    }

    async fn payload(&self, sender: &str, id: &str) -> Option<Bytes> {
        let key = self.key(sender, id).await;
        let found = soon(self.ledger.messages(vec![key])).await.unwrap();
        found.into_iter().next().map(|(_, message)| message.payload.clone())
    }

    async fn hold(&self, held: Held, reason: &str, at: Timestamp) -> Result<Hold, HoldError> {
        let request = HoldRequest { held, reason: reason.into(), by: "lan".into(), at };
        soon(soon(self.ledger.hold(request)).await.unwrap()).await.unwrap()
    }

    async fn release(&self, hold: HoldId, at: Timestamp) -> Result<Hold, HoldError> {
        let request = ReleaseRequest { hold, reason: "xong".into(), by: "minh".into(), at };
        soon(soon(self.ledger.release(request)).await.unwrap()).await.unwrap()
    }

    async fn let_go(&self) -> u64 {
        soon(soon(self.ledger.let_go(100)).await.unwrap()).await.unwrap()
    }

    async fn end(&self, accepted: &Accepted, at: i64) {
        for delivery in &accepted.deliveries {
            self.step(offer(delivery.id, t(at))).await.unwrap();
            let by = delivery.recipient.as_str();
            self.step(settle(delivery.id, by, 1, Outcome::Delivered, t(at))).await.unwrap();
        }
    }
}

fn message(sender: &str, id: &str) -> Held {
    Held::Message { sender: organ(sender), message_id: message_id(id) }
}

pub async fn a_payload_goes_a_set_time_after_the_last_end<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let accepted = open.accepted(letter("G22", "one", &["H49", "H57"])).await;
    let key = open.key("G22", "one").await;
    let ids: Vec<_> = accepted.deliveries.iter().map(|d| d.id).collect();
    assert_eq!((open.kept_since().await, open.kept(t(1)).await), (Some(t(1)), vec![key]));
    assert_eq!(open.purge("G22", "one", t(50), t(100)).await, Purged::Stays, "it is open");
    assert_eq!((open.kept_since().await, open.kept(t(99)).await), (Some(t(100)), vec![]));
    open.step(offer(ids[0], t(105))).await.unwrap();
    open.step(offer(ids[1], t(105))).await.unwrap();
    open.step(settle(ids[1], "H57", 1, Outcome::Rejected { reason: "no".into() }, t(120))).await.unwrap();
    assert_eq!(open.purge("G22", "one", t(130), t(130)).await, Purged::Stays, "half of it is open");
    open.step(settle(ids[0], "H49", 1, Outcome::Delivered, t(140))).await.unwrap();
    assert_eq!(open.purge("G22", "one", t(139), t(200)).await, Purged::Stays);
    assert_eq!(open.kept_since().await, Some(t(140)), "its time is known from now on");
    assert!(open.payload("G22", "one").await.is_some());
    assert_eq!(open.purge("G22", "one", t(140), t(200)).await, Purged::Gone("payload of one".len() as u64));
    let open = open.killed().await;
    assert_eq!((open.kept_since().await, open.payload("G22", "one").await), (None, None));
    assert_eq!(open.purge("G22", "one", t(900), t(900)).await, Purged::Nothing);
    let (record, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!((record.purged_at, record.payload_bytes), (Some(t(200)), "payload of one".len() as u64));
    assert_eq!(record.message.header, Bytes::from("header of one"));
    let last = receipts.last().unwrap();
    assert_eq!((last.kind, last.time, &last.asserted_by), (ReceiptKind::Purged, t(200), &Asserter::Gateway));
    assert_eq!((&last.delivery, last.payload_hash), (&None, Hash::of(b"payload of one")));
    assert_gapless(&open.receipts("G22").await);
    // It is still known.
    let again = open.accepted(letter("G22", "one", &["H49", "H57"])).await;
    assert_eq!((again.repeated, again.receipt), (true, accepted.receipt));
    let other = open.accept(vec![forged(letter("G22", "one", &["H49", "H57"]))]).await.remove(0);
    assert!(matches!(other, Err(AcceptRefused::Conflict { .. })));
}

pub async fn what_took_its_place_keeps_it_too<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let first = open.accepted(letter("G22", "one", &["H02"])).await.deliveries[0].id;
    let moved = Event::Redirect { to: organ("H05"), legal_basis: "decision".into(), acknowledge_by: t(9) };
    open.step(step(first, moved, t(10))).await.unwrap();
    assert_eq!(open.purge("G22", "one", t(20), t(30)).await, Purged::Stays);
    let (record, _) = open.track("G22", "one").await.unwrap();
    let second = record.deliveries[1].id;
    open.step(offer(second, t(40))).await.unwrap();
    open.step(settle(second, "H05", 1, Outcome::Delivered, t(50))).await.unwrap();
    assert_eq!(open.purge("G22", "one", t(49), t(60)).await, Purged::Stays);
    assert!(matches!(open.purge("G22", "one", t(50), t(60)).await, Purged::Gone(_)));
    open.report(report(second, "H05", StatusCode::Accepted, "", t(70))).await.unwrap();
    assert_gapless(&open.receipts("G22").await);
}

pub async fn files_go_with_it_and_late_ones_follow<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let accepted = open.accepted(letter("G22", "one", &["H49"])).await;
    let id = accepted.deliveries[0].id;
    open.end(&accepted, 10).await;
    let filed = |code, file: &'static [u8], at| {
        let mut request = report(id, "H49", code, "", t(at));
        request.file = Some(Bytes::from_static(file));
        request
    };
    let first = open.report(filed(StatusCode::Accepted, b"<edXML/>", 20)).await.unwrap().receipt;
    let bytes = ("payload of one".len() + 8) as u64;
    assert_eq!(open.purge("G22", "one", t(10), t(100)).await, Purged::Gone(bytes));
    let file = async |n| soon(open.ledger.status_file(&organ("G22"), n)).await.unwrap();
    assert_eq!(file(first.sender_sequence).await, Some(StatusFile::Purged));
    // What comes later has a time of its own.
    let second = open.report(filed(StatusCode::InProcess, b"<late/>", 200)).await.unwrap().receipt;
    assert_eq!(
        (open.kept_since().await, second.message_sequence),
        (Some(t(200)), first.message_sequence + 2)
    );
    assert_eq!(file(second.sender_sequence).await, Some(StatusFile::Kept(Bytes::from_static(b"<late/>"))));
    open.report(report(id, "H49", StatusCode::Done, "", t(250))).await.unwrap();
    assert_eq!(open.purge("G22", "one", t(199), t(300)).await, Purged::Stays);
    assert_eq!(open.purge("G22", "one", t(200), t(300)).await, Purged::Gone(7));
    assert_eq!(file(second.sender_sequence).await, Some(StatusFile::Purged));
    assert_eq!(file(second.sender_sequence + 1).await, None, "it came without a file");
    assert_eq!(
        (open.kept_since().await, open.track("G22", "one").await.unwrap().0.purged_at),
        (None, Some(t(100)))
    );
    assert_gapless(&open.receipts("G22").await);
}

pub async fn a_hold_keeps_until_it_is_released<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let accepted = open.accepted(letter("G22", "one", &["H49"])).await;
    open.end(&accepted, 10).await;
    assert_eq!(open.hold(message("G22", "none"), "vì", t(20)).await, Err(HoldError::NoMessage));
    let hold = open.hold(message("G22", "one"), "thanh tra \u{1F50D}", t(20)).await.unwrap();
    assert_eq!((&*hold.set.by, hold.set.at, &hold.released), ("lan", t(20), &None));
    assert_eq!(
        open.hold(message("G22", "one"), "thanh tra \u{1F50D}", t(30)).await.unwrap(),
        hold,
        "the same again"
    );
    let other = open.hold(message("G22", "one"), "kiện", t(30)).await.unwrap();
    assert_eq!(open.purge("G22", "one", t(10), t(100)).await, Purged::Held);
    assert_eq!((open.kept_since().await, open.let_go().await), (None, 0));
    let open = open.killed().await;
    let released = open.release(hold.id, t(200)).await.unwrap();
    assert_eq!((&*released.released.clone().unwrap().by, released.set.clone()), ("minh", hold.set));
    assert_eq!(open.release(hold.id, t(300)).await.unwrap(), released, "it was released before");
    assert_eq!((open.let_go().await, open.kept_since().await), (1, Some(t(1))));
    assert_eq!(open.purge("G22", "one", t(100), t(400)).await, Purged::Held, "the other one keeps it");
    open.release(other.id, t(400)).await.unwrap();
    assert_eq!(open.release(HoldId(77), t(1)).await, Err(HoldError::NoHold));
    assert_eq!(open.let_go().await, 1);
    assert!(matches!(open.purge("G22", "one", t(100), t(400)).await, Purged::Gone(_)));
    assert_eq!(open.hold(message("G22", "one"), "muộn", t(500)).await, Err(HoldError::Purged));
    let (_, receipts) = open.track("G22", "one").await.unwrap();
    let said: Vec<_> = receipts.iter().skip(3).map(|r| (r.kind, &*r.reason, r.asserted_by.clone())).collect();
    let by = |name: &str| Asserter::Operator(name.to_owned());
    assert_eq!(
        said,
        [
            (ReceiptKind::Held, "thanh tra \u{1F50D}", by("lan")),
            (ReceiptKind::Held, "kiện", by("lan")),
            (ReceiptKind::Released, "xong", by("minh")),
            (ReceiptKind::Released, "xong", by("minh")),
            (ReceiptKind::Purged, "", Asserter::Gateway),
        ]
    );
    assert_eq!(receipts, open.receipts("G22").await);
    assert_gapless(&receipts);
    let listed =
        async |released, before, limit| soon(open.ledger.holds(released, before, limit)).await.unwrap();
    let ids = |holds: Vec<Hold>| holds.into_iter().map(|hold| hold.id).collect::<Vec<_>>();
    assert_eq!(ids(listed(true, None, 10).await), [other.id, hold.id]);
    assert_eq!(ids(listed(true, Some(other.id), 1).await), [hold.id]);
    assert_eq!(listed(true, Some(other.id), 9).await, [released]);
    assert_eq!(ids(listed(false, None, 10).await), []);
}

pub async fn a_hold_of_an_organ_keeps_what_it_sends_and_receives<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let letters = [
        letter("G22", "to", &["H57", "H49"]),
        letter("H49", "from", &["G22"]),
        letter("G22", "other", &["H57"]),
        redirected(letter("G22", "closed", &[]), "H49", "H05", "decision"),
    ];
    for letter in letters {
        let accepted = open.accepted(letter).await;
        open.end(&accepted, 10).await;
    }
    let hold = open.hold(Held::Organ(organ("H49")), "thanh tra", t(20)).await.unwrap();
    assert_eq!(hold.held, Held::Organ(organ("H49")));
    let purge = async |sender, id| open.purge(sender, id, t(10), t(100)).await;
    assert_eq!(purge("G22", "to").await, Purged::Held);
    assert_eq!(purge("H49", "from").await, Purged::Held);
    assert_eq!(purge("G22", "closed").await, Purged::Held);
    assert!(matches!(purge("G22", "other").await, Purged::Gone(_)));
    let later = open.accepted(letter("H57", "later", &["H49"])).await;
    open.end(&later, 110).await;
    assert_eq!(open.purge("H57", "later", t(110), t(200)).await, Purged::Held);
    open.release(hold.id, t(300)).await.unwrap();
    assert_eq!((open.let_go().await, open.let_go().await), (4, 0));
    assert!(matches!(purge("G22", "to").await, Purged::Gone(_)));
    assert!(matches!(purge("H49", "from").await, Purged::Gone(_)));
}

/// Purges and holds of the same messages at once: what is held is there, and what is not there is not held.
pub async fn a_hold_that_was_set_in_time_holds<L: LedgerUnderTest>() {
    const LETTERS: usize = 120;
    let open = Open::<L>::unheard().await;
    let mut batch = Vec::new();
    for n in 0..LETTERS {
        let accepted = open.accepted(letter("G22", &format!("m{n}"), &["H49"])).await;
        open.end(&accepted, 10).await;
        batch.push(PurgeRequest {
            message: open.key("G22", &format!("m{n}")).await,
            sender: organ("G22"),
            ended_until: t(10),
            at: t(100),
        });
    }
    let ledger = Arc::clone(&open.ledger);
    let purging = tokio::spawn(async move {
        for batch in batch.chunks(4) {
            ledger.purge(batch.to_vec()).await.unwrap().await.unwrap();
        }
    });
    let ledger = Arc::clone(&open.ledger);
    let holding = tokio::spawn(async move {
        let mut held = Vec::new();
        for n in (0..LETTERS).rev() {
            let request = HoldRequest {
                held: message("G22", &format!("m{n}")),
                reason: "vì".into(),
                by: "lan".into(),
                at: t(50),
            };
            held.push((n, ledger.hold(request).await.unwrap().await.unwrap()));
        }
        held
    });
    soon(purging).await.unwrap();
    for (n, held) in soon(holding).await.unwrap() {
        let payload = open.payload("G22", &format!("m{n}")).await;
        match held {
            Ok(_) => assert!(payload.is_some(), "m{n} is held"),
            Err(error) => assert_eq!((error, payload), (HoldError::Purged, None), "m{n}"),
        }
    }
    assert_gapless(&open.receipts("G22").await);
}
