//! Point 5: every rung of a delivery's life, with the receipt it leaves.

use std::time::Duration;

use truc::domain::delivery::{DeliveryId, Event, Hold, Lease, Outcome, Progress, State};
use truc::domain::message::Lane;
use truc::domain::receipt::{Asserter, Cause, Receipt, ReceiptKind};
use truc::domain::time::Timestamp;
use truc::ledger::StepRequest;

use super::{LedgerUnderTest, Open};
use crate::support::{EXPIRY, dropped, letter, offer, organ, settle, soon, step, t};

/// One rung as the evidence shows it: kind, attempt, cause, who, when, and when again.
type Rung = (ReceiptKind, u32, Option<Cause>, Asserter, Timestamp, Option<Timestamp>);

/// A letter from G22 to H49, told rung by rung.
struct Told<L> {
    open: Open<L>,
    delivery: DeliveryId,
    rungs: Vec<Rung>,
}

impl<L: LedgerUnderTest> Told<L> {
    async fn new() -> Self {
        let open = Open::<L>::new().await;
        let delivery = open.accepted(letter("G22", "one", &["H49"])).await.deliveries[0].id;
        let rungs = vec![(ReceiptKind::Accepted, 0, None, Asserter::Gateway, t(1), None)];
        Self { open, delivery, rungs }
    }

    async fn take(&mut self, request: StepRequest) -> Progress {
        let stepped = self.open.step(request).await.unwrap();
        assert_eq!((stepped.delivery, stepped.recipient), (self.delivery, organ("H49")));
        stepped.progress
    }

    async fn offered(&mut self, attempt: u32, at: Timestamp) {
        let now = self.take(offer(self.delivery, at)).await;
        let lease = at.plus(Duration::from_secs(60));
        assert_eq!(
            now,
            Progress {
                state: State::InFlight,
                attempt,
                hold: Some(Hold::Stream),
                due_at: Some(lease),
                expires_at: t(EXPIRY),
                spared: 0,
                unsent: 0,
            }
        );
        self.rungs.push((ReceiptKind::Offered, attempt, None, Asserter::Gateway, at, None));
    }

    /// The attempt ends, and the delivery is to be offered again: ready at once, or at `again`.
    async fn deferred(&mut self, request: StepRequest, cause: Cause, again: Timestamp) {
        let (at, by) = (request.at, request.by.clone());
        let now = self.take(request).await;
        assert_eq!(now.hold, None);
        let stands = match again == at {
            true => (State::Queued, Some(t(EXPIRY))),
            false => (State::Waiting, Some(again)),
        };
        assert_eq!((now.state, now.due_at), stands);
        self.rungs.push((ReceiptKind::Deferred, now.attempt, Some(cause), by, at, Some(again)));
    }

    /// Its wait is over; that leaves no receipt.
    async fn ready_again(&mut self, at: Timestamp) {
        let now = self.take(step(self.delivery, Event::Due, at)).await;
        assert_eq!((now.state, now.due_at), (State::Queued, Some(t(EXPIRY))));
    }

    async fn ended(&mut self, request: StepRequest, end: (State, ReceiptKind)) {
        let (at, by) = (request.at, request.by.clone());
        let now = self.take(request).await;
        assert_eq!((now.state, now.hold, now.due_at), (end.0, None, None));
        self.rungs.push((end.1, now.attempt, None, by, at, None));
    }

    /// The evidence is these rungs, also after a kill; gives it for what else there is to say.
    async fn evidence(self) -> (State, Option<Timestamp>, Vec<Receipt>) {
        let open = self.open.killed().await;
        let (record, receipts) = open.track("G22", "one").await.unwrap();
        let found: Vec<Rung> = receipts
            .iter()
            .map(|r| {
                let attempt = r.delivery.as_ref().map_or(0, |delivery| delivery.attempt);
                (r.kind, attempt, r.cause, r.asserted_by.clone(), r.time, r.retry_time)
            })
            .collect();
        assert_eq!(found, self.rungs);
        assert_eq!(open.receipts("G22").await, receipts);
        assert!(receipts[1..].iter().all(|r| r.delivery.as_ref().unwrap().id == self.delivery));
        let ready = soon(open.ledger.ready(&organ("H49"), Lane::Normal, DeliveryId(0), 9)).await.unwrap();
        let delivery = &record.deliveries[0];
        assert_eq!(ready.len(), usize::from(delivery.progress.state == State::Queued));
        (delivery.progress.state, delivery.ended_at, receipts)
    }
}

pub async fn delivered_after_every_kind_of_attempt<L: LedgerUnderTest>() {
    let mut told = Told::<L>::new().await;
    let d = told.delivery;
    // The connection ends: ready again at once.
    told.offered(1, t(10)).await;
    told.deferred(dropped(d, 1, t(11)), Cause::Disconnected, t(11)).await;
    // The lease ends: again after a backoff.
    told.offered(2, t(20)).await;
    told.deferred(step(d, Event::Due, t(80)), Cause::LeaseExpired, t(82)).await;
    told.ready_again(t(82)).await;
    // The gateway restarts, after as many attempts as are prompt.
    told.offered(3, t(90)).await;
    let restarted = Event::Dropped { lease: Lease(3), cause: Cause::GatewayRestarted };
    told.deferred(step(d, restarted, t(91)), Cause::GatewayRestarted, t(95)).await;
    told.ready_again(t(96)).await;
    // The recipient asks for later.
    told.offered(4, t(100)).await;
    let later = Outcome::Deferred { reason: "máy chủ bảo trì".into(), retry_at: Some(t(500)) };
    told.deferred(settle(d, "H49", 4, later, t(101)), Cause::RecipientDeferred, t(500)).await;
    told.ready_again(t(500)).await;
    told.offered(5, t(501)).await;
    let request = settle(d, "H49", 5, Outcome::Delivered, t(502));
    told.ended(request, (State::Delivered, ReceiptKind::Delivered)).await;
    let (state, ended_at, receipts) = told.evidence().await;
    assert_eq!((state, ended_at), (State::Delivered, Some(t(502))));
    let words: Vec<_> = receipts.iter().filter(|r| !r.reason.is_empty()).map(|r| r.reason.as_str()).collect();
    assert_eq!(words, ["máy chủ bảo trì"]);
}

pub async fn rejected_with_a_reason<L: LedgerUnderTest>() {
    let mut told = Told::<L>::new().await;
    told.offered(1, t(10)).await;
    let no = Outcome::Rejected { reason: "Không đúng thẩm quyền".into() };
    let request = settle(told.delivery, "H49", 1, no, t(11));
    told.ended(request, (State::Rejected, ReceiptKind::Rejected)).await;
    let (state, ended_at, receipts) = told.evidence().await;
    assert_eq!((state, ended_at), (State::Rejected, Some(t(11))));
    assert_eq!(receipts[2].reason, "Không đúng thẩm quyền");
}

pub async fn expired_while_waiting<L: LedgerUnderTest>() {
    let mut told = Told::<L>::new().await;
    let d = told.delivery;
    let before = EXPIRY - 10;
    told.offered(1, t(before)).await;
    let later = Outcome::Deferred { reason: String::new(), retry_at: Some(t(EXPIRY + 50)) };
    // The receipt says when it would be offered again; the deadline comes first.
    let now = told.take(settle(d, "H49", 1, later, t(before))).await;
    assert_eq!((now.state, now.due_at), (State::Waiting, Some(t(EXPIRY))));
    let by = Asserter::Organ(organ("H49"));
    let cause = Some(Cause::RecipientDeferred);
    told.rungs.push((ReceiptKind::Deferred, 1, cause, by, t(before), Some(t(EXPIRY + 50))));
    told.ended(step(d, Event::Due, t(EXPIRY)), (State::Expired, ReceiptKind::Expired)).await;
    assert_eq!(told.evidence().await.0, State::Expired);
}

pub async fn expired_in_the_mailbox_and_in_flight<L: LedgerUnderTest>() {
    for in_flight in [false, true] {
        let mut told = Told::<L>::new().await;
        if in_flight {
            told.offered(1, t(EXPIRY - 1)).await;
        }
        let request = step(told.delivery, Event::Due, t(EXPIRY + 100));
        told.ended(request, (State::Expired, ReceiptKind::Expired)).await;
        let (state, ended_at, _) = told.evidence().await;
        assert_eq!((state, ended_at), (State::Expired, Some(t(EXPIRY + 100))));
    }
}

pub async fn dead_after_the_last_attempt<L: LedgerUnderTest>() {
    let mut told = Told::<L>::new().await;
    let d = told.delivery;
    let mut at = t(100);
    for (attempt, delay) in [(1, 1), (2, 2), (3, 4), (4, 8)] {
        told.offered(attempt, at).await;
        let lease_end = at.plus(Duration::from_secs(60));
        at = lease_end.plus(Duration::from_secs(delay));
        told.deferred(step(d, Event::Due, lease_end), Cause::LeaseExpired, at).await;
        told.ready_again(at).await;
    }
    told.offered(5, at).await;
    let now = told.take(dropped(d, 5, at)).await;
    assert_eq!((now.state, now.hold, now.due_at), (State::Dead, None, Some(t(EXPIRY))));
    let cause = Some(Cause::AttemptsExhausted);
    told.rungs.push((ReceiptKind::Dead, 5, cause, Asserter::Gateway, at, None));
    // Dead is no end: the deadline is.
    let open = &told.open;
    assert_eq!(soon(open.ledger.received(&organ("H49"), None, true, 9)).await.unwrap().len(), 1);
    told.ended(step(d, Event::Due, t(EXPIRY)), (State::Expired, ReceiptKind::Expired)).await;
    assert_eq!(told.evidence().await.0, State::Expired);
}
