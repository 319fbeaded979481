use proptest::prelude::*;

use super::*;
use crate::domain::duty::AcknowledgedBy;
use crate::domain::organ_id::OrganId;

const POLICY: Policy = Policy {
    attempts_max: 5,
    retry_delay_min: Duration::from_secs(1),
    retry_delay_max: Duration::from_secs(60),
    retry_jitter: 0.2,
    prompt_attempts: 2,
    acknowledged_by: AcknowledgedBy::Delivery,
};

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn moved(now: &Progress, event: &Event, at: Timestamp) -> (Progress, Option<Entry>) {
    match step(now, event, at, &POLICY, 0.0) {
        Ok(Step::Moved(next, entry)) => (next, entry),
        other => panic!("{event:?} on {now:?}: {other:?}"),
    }
}

fn offered(now: &Progress, at: Timestamp) -> Progress {
    let event = Event::Offer { hold: Hold::Stream, until: at.plus(Duration::from_secs(60)) };
    moved(now, &event, at).0
}

fn settle_as(lease: u32, outcome: Outcome) -> Event {
    Event::Settle { lease: Lease(lease), outcome }
}

#[test]
fn ids_and_leases_have_one_written_form() {
    assert_eq!(DeliveryId::parse("d42"), Some(DeliveryId(42)));
    for bad in ["", "d", "42", "d042", "d+1", "d-1", "d1 ", "D1", "d99999999999999999999"] {
        assert_eq!(DeliveryId::parse(bad), None, "{bad}");
    }
    assert_eq!(Lease::parse("a7"), Some(Lease(7)));
    assert_eq!(Lease::parse("a4294967296"), None);
}

#[test]
fn the_straight_way() {
    let queued = Progress::accepted(t(1000));
    let held = offered(&queued, t(1));
    assert_eq!((held.state, held.attempt, held.due_at), (State::InFlight, 1, Some(t(61))));
    let (done, entry) = moved(&held, &settle_as(1, Outcome::Delivered), t(2));
    assert_eq!((done.state, done.due_at), (State::Delivered, None));
    assert_eq!(entry.unwrap().kind, ReceiptKind::Delivered);
}

#[test]
fn a_settled_delivery_is_never_offered_again_and_a_repeat_changes_nothing() {
    let held = offered(&Progress::accepted(t(1000)), t(1));
    let (done, _) = moved(&held, &settle_as(1, Outcome::Delivered), t(2));
    let offer = Event::Offer { hold: Hold::Fetch, until: t(90) };
    assert_eq!(step(&done, &offer, t(3), &POLICY, 0.0), Err(StepRefused::NotReady));
    assert_eq!(step(&done, &settle_as(1, Outcome::Delivered), t(3), &POLICY, 0.0), Ok(Step::Unchanged));
    let reject = settle_as(1, Outcome::Rejected { reason: "no".into() });
    assert_eq!(step(&done, &reject, t(3), &POLICY, 0.0), Err(StepRefused::Ended(State::Delivered)));
    assert_eq!(step(&done, &Event::Due, t(5000), &POLICY, 0.0), Err(StepRefused::NotDue));
}

#[test]
fn a_lease_that_ended_is_fenced_only_once_another_attempt_began() {
    let held = offered(&Progress::accepted(t(10_000)), t(1));
    let (waiting, entry) = moved(&held, &Event::Due, t(61));
    assert_eq!(waiting.state, State::Waiting);
    assert_eq!(entry.unwrap().cause, Some(Cause::LeaseExpired));
    let late = settle_as(1, Outcome::Delivered);
    assert_eq!(moved(&waiting, &late, t(61)).0.state, State::Delivered);
    let (queued, none) = moved(&waiting, &Event::Due, t(62));
    assert_eq!((queued.state, none), (State::Queued, None));
    let second = offered(&queued, t(63));
    assert_eq!(step(&second, &late, t(64), &POLICY, 0.0), Err(StepRefused::LeaseLost));
}

#[test]
fn dropped_streams_are_prompt_first_and_back_off_later() {
    let mut now = Progress::accepted(t(100_000));
    for attempt in 1..=4 {
        now = offered(&now, t(1));
        let event = Event::Dropped { lease: Lease(attempt), cause: Cause::Disconnected };
        let (next, entry) = moved(&now, &event, t(1));
        assert_eq!(entry.unwrap().kind, ReceiptKind::Deferred);
        let expected = if attempt <= 2 { State::Queued } else { State::Waiting };
        assert_eq!(next.state, expected, "attempt {attempt}");
        now = Progress { state: State::Queued, ..next };
    }
    now = offered(&now, t(1));
    let last = Event::Dropped { lease: Lease(5), cause: Cause::Disconnected };
    let (dead, entry) = moved(&now, &last, t(1));
    assert_eq!((dead.state, dead.due_at), (State::Dead, Some(t(100_000))));
    assert_eq!(entry.unwrap().cause, Some(Cause::AttemptsExhausted));
    assert_eq!(moved(&dead, &Event::Due, t(100_000)).0.state, State::Expired);
}

#[test]
fn a_recipient_can_put_off_but_not_for_ever() {
    let held = offered(&Progress::accepted(t(1_000_000)), t(0));
    let put_off = |until| settle_as(1, Outcome::Deferred { reason: "full".into(), retry_at: until });
    assert_eq!(moved(&held, &put_off(None), t(0)).0.due_at, Some(t(1)));
    assert_eq!(moved(&held, &put_off(Some(t(500))), t(0)).0.due_at, Some(t(500)));
    assert_eq!(moved(&held, &put_off(Some(t(900_000))), t(0)).0.due_at, Some(t(86_400)));
}

#[test]
fn a_lease_is_renewed_by_its_holder_and_only_made_longer() {
    let held = offered(&Progress::accepted(t(1_000)), t(0));
    let renew = |lease, until| Event::Renew { lease: Lease(lease), until: t(until) };
    assert_eq!(step(&held, &renew(1, 60), t(1), &POLICY, 0.0), Ok(Step::Unchanged));
    let (longer, none) = moved(&held, &renew(1, 300), t(1));
    assert_eq!((longer.due_at, longer.attempt, none), (Some(t(300)), 1, None));
    assert_eq!(step(&held, &renew(2, 300), t(1), &POLICY, 0.0), Err(StepRefused::LeaseLost));
    let (waiting, _) = moved(&longer, &Event::Due, t(300));
    assert_eq!(step(&waiting, &renew(1, 900), t(301), &POLICY, 0.0), Err(StepRefused::LeaseLost));
}

#[test]
fn backoff_doubles_between_its_bounds() {
    let seconds: Vec<u64> = (1..=8).map(|n| POLICY.backoff(n, 0.0).as_secs()).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(POLICY.backoff(3, 1.0), Duration::from_millis(3200));
    assert_eq!(POLICY.backoff(u32::MAX, 0.0).as_secs(), 60);
}

fn redirect() -> Event {
    Event::Redirect {
        to: OrganId::parse("H05").expect("an organ id"),
        legal_basis: "NQ 1".into(),
        acknowledge_by: t(0),
    }
}

#[test]
fn only_what_nobody_holds_is_redirected() {
    let queued = Progress::accepted(t(1_000));
    let held = offered(&queued, t(1));
    assert_eq!(step(&held, &redirect(), t(2), &POLICY, 0.0), Err(StepRefused::NotReady));
    assert_eq!(step(&queued, &redirect(), t(1_000), &POLICY, 0.0), Err(StepRefused::NotReady), "it expires");
    let strand = Event::Strand { reason: "closed".into() };
    let (dead, entry) = moved(&queued, &strand, t(2));
    assert_eq!((dead.state, dead.due_at), (State::Dead, Some(t(1_000))));
    assert_eq!(entry.unwrap().cause, Some(Cause::RecipientClosed));
    assert_eq!(step(&dead, &strand, t(3), &POLICY, 0.0), Ok(Step::Unchanged));
    for from in [queued, moved(&held, &Event::Due, t(61)).0, dead] {
        let (redirected, entry) = moved(&from, &redirect(), t(62));
        assert_eq!((redirected.state, redirected.due_at), (State::Redirected, None));
        assert_eq!(entry.unwrap().reason, "NQ 1");
        let again = step(&redirected, &redirect(), t(63), &POLICY, 0.0);
        assert_eq!(again, Err(StepRefused::Ended(State::Redirected)));
    }
}

fn replay() -> Event {
    Event::Replay { reason: String::new() }
}

#[test]
fn a_replay_begins_a_round_of_attempts() {
    let mut now = Progress::accepted(t(1_000_000));
    assert_eq!(step(&now, &replay(), t(1), &POLICY, 0.0), Err(StepRefused::NotDead(State::Queued)));
    for round in 1..=3 {
        for attempt in 1..=POLICY.attempts_max {
            if now.state == State::Waiting {
                now = moved(&now, &Event::Due, now.due_at.unwrap()).0;
            }
            now = offered(&now, t(1));
            let (next, entry) = moved(&now, &Event::Due, now.due_at.unwrap());
            let wait = entry.and_then(|entry| entry.retry_time).map(|retry| retry.since(t(61)).as_secs());
            assert_eq!(wait, (attempt < POLICY.attempts_max).then(|| 1 << (attempt - 1)));
            now = next;
        }
        assert_eq!((now.state, now.attempt), (State::Dead, round * POLICY.attempts_max));
        let (next, entry) = moved(&now, &replay(), t(90));
        assert_eq!((next.state, next.due_at), (State::Queued, Some(t(1_000_000))));
        assert_eq!(entry.unwrap().kind, ReceiptKind::Replayed);
        now = next;
    }
    let (dead, _) = moved(&now, &Event::Strand { reason: String::new() }, t(100));
    assert_eq!(step(&dead, &replay(), t(1_000_000), &POLICY, 0.0), Err(StepRefused::NotReady), "it expires");
    let (ended, entry) = moved(&dead, &Event::Discard { reason: "lost".into() }, t(101));
    assert_eq!((ended.state, ended.due_at), (State::Cancelled, None));
    assert_eq!(entry.unwrap().cause, Some(Cause::Discarded));
}

fn any_event() -> impl Strategy<Value = Event> {
    let lease = 0u32..8;
    prop_oneof![
        (1i64..200).prop_map(|s| Event::Offer { hold: Hold::Stream, until: t(s) }),
        (lease.clone(), 0u8..3).prop_map(|(n, o)| settle_as(
            n,
            match o {
                0 => Outcome::Delivered,
                1 => Outcome::Rejected { reason: "r".into() },
                _ => Outcome::Deferred { reason: "d".into(), retry_at: None },
            }
        )),
        lease.clone().prop_map(|n| Event::Dropped { lease: Lease(n), cause: Cause::Disconnected }),
        (lease, 1i64..400).prop_map(|(n, s)| Event::Renew { lease: Lease(n), until: t(s) }),
        Just(Event::Due),
        Just(redirect()),
        Just(Event::Strand { reason: "closed".into() }),
        Just(replay()),
        Just(Event::Discard { reason: "lost".into() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_happens_an_open_delivery_has_a_due_time_and_an_end_is_an_end(
        events in proptest::collection::vec((any_event(), 0i64..30), 1..60)
    ) {
        let mut now = Progress::accepted(t(300));
        let mut clock = 0;
        let mut ends = 0;
        let mut rounds = 1;
        for (event, later) in events {
            clock += later;
            let before = now;
            if let Ok(Step::Moved(next, entry)) = step(&now, &event, t(clock), &POLICY, 0.5) {
                prop_assert!(!before.state.is_end(), "{before:?} left its end by {event:?}");
                prop_assert!(next.attempt >= before.attempt);
                rounds += u32::from(matches!(event, Event::Replay { .. }));
                prop_assert!(next.attempt <= POLICY.attempts_max * rounds);
                now = next;
                ends += usize::from(now.state.is_end());
                let silent = matches!(
                    (before.state, now.state),
                    (State::Waiting, State::Queued) | (State::InFlight, State::InFlight)
                );
                prop_assert_eq!(entry.is_none(), silent);
            }
            prop_assert_eq!(now.due_at.is_none(), now.state.is_end());
        }
        // Left alone from here on, it ends, once.
        for _ in 0..20 {
            if let Some(due) = now.due_at {
                let at = due.max(t(clock));
                let (next, _) = moved(&now, &Event::Due, at);
                ends += usize::from(next.state.is_end());
                now = next;
            }
        }
        prop_assert!(now.state.is_end());
        prop_assert_eq!(ends, 1);
    }
}

#[test]
fn what_an_endpoint_did_not_take_is_spared_retried_or_parked() {
    let not_taken = |lease, then| Event::NotTaken {
        lease: Lease(lease),
        cause: Cause::PushUnreachable,
        reason: "why".into(),
        then,
    };
    let mut now = Progress::accepted(t(1_000));
    // For reasons of the link, more often than there are attempts.
    for attempt in 1..=8 {
        now = offered(&now, t(1));
        let spare = Then::Spare { retry_at: t(90), unsent: false };
        let (next, entry) = moved(&now, &not_taken(attempt, spare), t(2));
        let entry = entry.unwrap();
        assert_eq!((next.state, next.spared, next.due_at), (State::Queued, attempt, Some(t(1_000))));
        assert_eq!((entry.kind, entry.retry_time), (ReceiptKind::Deferred, Some(t(90))));
        assert_eq!((entry.cause, entry.reason.as_str()), (Some(Cause::PushUnreachable), "why"));
        now = next;
    }
    let now = offered(&now, t(3));
    assert_eq!((now.attempt, now.counted()), (9, 1));
    let retry = |not_before| moved(&now, &not_taken(9, Then::Retry { not_before }), t(3)).0;
    assert_eq!((retry(t(0)).state, retry(t(0)).due_at), (State::Waiting, Some(t(4))), "its first backoff");
    assert_eq!(retry(t(50)).due_at, Some(t(50)));
    let (parked, entry) = moved(&now, &not_taken(9, Then::Park), t(3));
    assert_eq!((parked.state, entry.unwrap().kind), (State::Dead, ReceiptKind::Dead));
    let late = step(&parked, &not_taken(9, Then::Park), t(4), &POLICY, 0.0);
    assert_eq!(late, Err(StepRefused::LeaseLost));
    assert_eq!(step(&now, &not_taken(8, Then::Park), t(4), &POLICY, 0.0), Err(StepRefused::LeaseLost));
}

#[test]
fn of_what_nothing_was_sent_its_recipient_can_say_nothing_and_its_sender_everything() {
    let spared = |now: &Progress, unsent| {
        let then = Then::Spare { retry_at: t(90), unsent };
        let (cause, reason) = (Cause::PushUnreachable, String::new());
        moved(now, &Event::NotTaken { lease: Lease(now.attempt), cause, reason, then }, t(2)).0
    };
    let cancel = |now: &Progress| {
        step(now, &Event::Cancel { agreed: false, reason: String::new() }, t(3), &POLICY, 0.0)
    };
    let mut now = Progress::accepted(t(1_000));
    for attempt in 1..=3 {
        now = offered(&now, t(1));
        assert_eq!(cancel(&now), Err(StepRefused::Offered), "it may be on its way");
        now = spared(&now, true);
        assert_eq!((now.attempt, now.unsent, now.may_be_known()), (attempt, attempt, false));
    }
    let late = Event::Settle { lease: Lease(3), outcome: Outcome::Delivered };
    assert_eq!(step(&now, &late, t(3), &POLICY, 0.0), Err(StepRefused::LeaseLost), "nobody was sent it");
    assert!(matches!(cancel(&now), Ok(Step::Moved(Progress { state: State::Cancelled, .. }, Some(_)))));
    let once = spared(&offered(&now, t(2)), false);
    assert!(once.may_be_known());
    assert_eq!(cancel(&spared(&offered(&once, t(2)), true)), Err(StepRefused::Offered), "it was sent once");
}
