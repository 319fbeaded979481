//! Point 13: dead letters are found with the reason why, and an operator's word sends them on or ends them.

use truc::domain::delivery::{DeliveryId, Event, State, StepRefused};
use truc::domain::message::Lane;
use truc::domain::receipt::{Asserter, Cause, ReceiptKind};
use truc::domain::time::Timestamp;
use truc::ledger::{DeadFilter, DeadLetter, StepError, StepRequest};

use super::inspect::assert_gapless;
use super::{LedgerUnderTest, Open};
use crate::support::{EXPIRY, dropped, letter, offer, organ, soon, step, t};

/// Attempts after which a delivery is dead, in these tests.
const ATTEMPTS: u32 = 5;

fn decided(delivery: DeliveryId, event: Event, at: Timestamp) -> StepRequest {
    StepRequest { by: Asserter::Operator("lan".into()), ..step(delivery, event, at) }
}

fn replay() -> Event {
    Event::Replay { reason: "sửa xong".into() }
}

impl<L: LedgerUnderTest> Open<L> {
    async fn dead(&self, filter: DeadFilter, after: DeliveryId, limit: usize) -> Vec<DeadLetter> {
        soon(self.ledger.dead(&filter, after, limit)).await.unwrap()
    }

    async fn stranded(&self, delivery: DeliveryId, at: i64) {
        let event = Event::Strand { reason: "không rõ nơi nhận".into() };
        self.step(step(delivery, event, t(at))).await.unwrap();
    }

    /// Offered and dropped until it is dead; gives how often.
    async fn exhausted(&self, delivery: DeliveryId, mut at: i64) -> u32 {
        let mut offers = 0;
        loop {
            at += 1_000;
            let stepped = match self.step(offer(delivery, t(at))).await {
                Ok(stepped) => stepped,
                Err(_) => {
                    self.step(step(delivery, Event::Due, t(at))).await.unwrap();
                    continue;
                }
            };
            offers += 1;
            let lease = stepped.progress.attempt;
            let after = self.step(dropped(delivery, lease, t(at))).await.unwrap();
            if after.progress.state == State::Dead {
                return offers;
            }
        }
    }
}

pub async fn found_by_organ_and_cause<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    let mut ids = Vec::new();
    for (n, to) in ["H49", "H57", "H49", "H57", "H49"].into_iter().enumerate() {
        let accepted = open.accepted(letter("G22", &format!("m{n}"), &[to, "H05"])).await;
        ids.push(accepted.deliveries[0].id);
    }
    open.exhausted(ids[0], 0).await;
    for id in &ids[1..4] {
        open.stranded(*id, 50).await;
    }
    let found = async |filter, after, limit| {
        let letters = open.dead(filter, after, limit).await;
        letters.into_iter().map(|letter| letter.delivery.id).collect::<Vec<_>>()
    };
    let all = DeadFilter::default();
    assert_eq!(found(all.clone(), DeliveryId(0), 10).await, ids[..4]);
    assert_eq!(found(all.clone(), ids[1], 1).await, [ids[2]]);
    let of = |organ_id: &str| DeadFilter { organ: Some(organ(organ_id)), cause: None };
    assert_eq!(found(of("H49"), DeliveryId(0), 10).await, [ids[0], ids[2]]);
    assert_eq!(found(of("H05"), DeliveryId(0), 10).await, []);
    assert_eq!(found(of("H60"), DeliveryId(0), 10).await, []);
    let exhausted = DeadFilter { cause: Some(Cause::AttemptsExhausted), ..of("H49") };
    assert_eq!(found(exhausted, DeliveryId(0), 10).await, [ids[0]]);
    let closed = DeadFilter { cause: Some(Cause::RecipientClosed), organ: None };
    assert_eq!(found(closed, DeliveryId(0), 10).await, ids[1..4]);
    let letter = open.dead(all, ids[0], 1).await.remove(0);
    let (record, _) = open.track("G22", "m1").await.unwrap();
    assert_eq!(letter.delivery, record.deliveries[0]);
    assert_eq!((letter.sender, &*letter.message_id.to_string()), (organ("G22"), "m1"));
    assert_eq!((letter.accepted_at, letter.dead_since), (t(1), t(50)));
    assert_eq!((letter.cause, &*letter.reason), (Some(Cause::RecipientClosed), "không rõ nơi nhận"));
    assert_eq!(letter.payload_bytes, "payload of m1".len() as u64);
}

pub async fn a_replay_gives_as_many_attempts_again<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    let id = open.accepted(letter("G22", "one", &["H49"])).await.deliveries[0].id;
    let not_dead = Err(StepError::Refused(StepRefused::NotDead(State::Queued)));
    assert_eq!(open.step(decided(id, replay(), t(2))).await, not_dead);
    for round in 1..=3 {
        assert_eq!(open.exhausted(id, i64::from(round) * 100_000).await, ATTEMPTS);
        let open_letters = open.dead(DeadFilter::default(), DeliveryId(0), 9).await;
        assert_eq!(open_letters.len(), 1);
        let stepped = open.step(decided(id, replay(), t(i64::from(round) * 100_000 + 90_000))).await.unwrap();
        assert_eq!((stepped.progress.state, stepped.progress.attempt), (State::Queued, round * ATTEMPTS));
        let ready = soon(open.ledger.ready(&organ("H49"), Lane::Normal, DeliveryId(0), 9)).await.unwrap();
        assert_eq!((ready.len(), ready[0].attempt), (1, round * ATTEMPTS));
        assert_eq!(open.dead(DeadFilter::default(), DeliveryId(0), 9).await, []);
    }
    let open = open.killed().await;
    let (_, receipts) = open.track("G22", "one").await.unwrap();
    let replayed: Vec<_> = receipts.iter().filter(|r| r.kind == ReceiptKind::Replayed).collect();
    assert_eq!(replayed.len(), 3);
    let last = receipts.last().unwrap();
    assert_eq!((&last.asserted_by, &*last.reason), (&Asserter::Operator("lan".into()), "sửa xong"));
    assert_eq!(last.delivery.as_ref().unwrap().id, id);
    assert_gapless(&receipts);
}

pub async fn what_is_discarded_has_ended<L: LedgerUnderTest>() {
    let open = Open::<L>::unheard().await;
    let accepted = open.accepted(letter("G22", "one", &["H49", "H57"])).await;
    let [a, b] = [0, 1].map(|n| accepted.deliveries[n].id);
    open.stranded(a, 10).await;
    open.stranded(b, 10).await;
    let discard = || Event::Discard { reason: "gửi nhầm".into() };
    let answers = open.steps(vec![decided(a, discard(), t(20)), decided(a, discard(), t(21))]).await;
    assert_eq!(answers[0].as_ref().unwrap().progress.state, State::Cancelled);
    assert_eq!(answers[1], Err(StepError::Refused(StepRefused::NotDead(State::Cancelled))));
    let late = open.step(decided(b, replay(), t(EXPIRY))).await;
    assert_eq!(late, Err(StepError::Refused(StepRefused::NotReady)), "it expires");
    let open = open.killed().await;
    let (record, receipts) = open.track("G22", "one").await.unwrap();
    assert_eq!((record.deliveries[0].ended_at, record.deliveries[0].progress.due_at), (Some(t(20)), None));
    let last = receipts.last().unwrap();
    assert_eq!(
        (last.kind, last.cause, &*last.reason),
        (ReceiptKind::Cancelled, Some(Cause::Discarded), "gửi nhầm")
    );
    assert_eq!(last.asserted_by, Asserter::Operator("lan".into()));
    let dead: Vec<_> = open.dead(DeadFilter::default(), DeliveryId(0), 9).await;
    assert_eq!(dead.iter().map(|letter| letter.delivery.id).collect::<Vec<_>>(), [b]);
    // One that expires leaves nothing to decide.
    open.step(step(b, Event::Due, t(EXPIRY))).await.unwrap();
    assert_eq!(open.dead(DeadFilter::default(), DeliveryId(0), 9).await, []);
}
