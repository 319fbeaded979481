use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;
use crate::domain::delivery::{self, Event, Hold, Lease, Progress, State, Step};

const POLICY: Policy = Policy {
    retry_delay_min: Duration::from_secs(1),
    retry_delay_max: Duration::from_secs(600),
    retry_jitter: 0.2,
    faults_max: 3,
    wish_max: Duration::from_secs(3_600),
};

const OF_DELIVERIES: delivery::Policy = delivery::Policy {
    attempts_max: 10,
    retry_delay_min: Duration::from_secs(1),
    retry_delay_max: Duration::from_secs(60),
    retry_jitter: 0.0,
    prompt_attempts: 3,
    acknowledged_by: crate::domain::duty::AcknowledgedBy::Delivery,
};

fn t(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(seconds))
}

fn trouble(cause: Cause) -> Trouble {
    Trouble { cause, reason: "r".into(), retry_in: None, unsent: false }
}

fn away() -> Said {
    Said::Away(trouble(Cause::PushUnreachable))
}

fn failed() -> Said {
    Said::Failed(trouble(Cause::PushFailed))
}

fn taken() -> Said {
    Said::Settled(Outcome::Delivered)
}

/// One delivery brought, and an answer.
fn bring(link: &mut Link, said: Said, at: Timestamp) -> Verdict {
    link.begin(1);
    link.end(1);
    link.hear(said, at, &POLICY, 0.0)
}

/// An endpoint in virtual time: what it answers to the n-th call, and after how long.
struct World<F> {
    now: Timestamp,
    link: Link,
    script: F,
    mailbox: Vec<Progress>,
    // What is on its way: when the answer comes, which delivery, the answer.
    calls: BinaryHeap<(Reverse<(i64, usize)>, usize)>,
    answers: Vec<Said>,
    // When each call was made, of which delivery, how many were on their way then.
    made: Vec<(Timestamp, usize, usize)>,
    chance: fastrand::Rng,
}

impl<F: FnMut(usize, usize) -> (Said, Duration)> World<F> {
    fn new(window: u32, deliveries: usize, script: F) -> Self {
        let mailbox = vec![Progress::accepted(t(10_000_000)); deliveries];
        let (calls, answers, made) = (BinaryHeap::new(), Vec::new(), Vec::new());
        let (link, chance) = (Link::new(window, None), fastrand::Rng::with_seed(20_250_701));
        Self { now: t(0), link, script, mailbox, calls, answers, made, chance }
    }

    fn step(&mut self, delivery: usize, event: &Event) {
        let now = &mut self.mailbox[delivery];
        match delivery::step(now, event, self.now, &OF_DELIVERIES, 0.0).unwrap() {
            Step::Moved(next, _) => *now = next,
            Step::Unchanged => {}
        }
    }

    /// Runs until nothing more will happen, or so many calls were made.
    fn run(&mut self, calls_max: usize) {
        while self.made.len() < calls_max {
            for delivery in 0..self.mailbox.len() {
                let Progress { state, due_at, .. } = self.mailbox[delivery];
                if state == State::Waiting && due_at.is_some_and(|due| due <= self.now) {
                    self.step(delivery, &Event::Due);
                }
            }
            let ready = self.mailbox.iter().position(|progress| progress.state == State::Queued);
            let room = self.link.room(self.now);
            if let (Some(delivery), Room::For(_)) = (ready, room) {
                self.call(delivery);
                continue;
            }
            let answer = self.calls.peek().map(|(Reverse((at, _)), _)| Timestamp::from_micros(*at));
            let due =
                self.mailbox.iter().filter(|p| p.state == State::Waiting).filter_map(|p| p.due_at).min();
            let reopened = match (room, ready) {
                (Room::NotBefore(time), Some(_)) => Some(time),
                _ => None,
            };
            let Some(next) = [answer, due, reopened].into_iter().flatten().min() else { return };
            self.now = self.now.max(next);
            if answer == Some(next) {
                self.answer();
            }
        }
    }

    fn call(&mut self, delivery: usize) {
        self.step(delivery, &Event::Offer { hold: Hold::Stream, until: t(10_000_000) });
        self.link.begin(1);
        let (said, after) = (self.script)(self.made.len(), delivery);
        let number = self.answers.len();
        self.answers.push(said);
        self.calls.push((Reverse((self.now.plus(after).as_micros(), number)), delivery));
        self.made.push((self.now, delivery, self.calls.len()));
    }

    fn answer(&mut self) {
        let Some((Reverse((_, number)), delivery)) = self.calls.pop() else { return };
        self.link.end(1);
        let said = self.answers[number].clone();
        let verdict = self.link.hear(said, self.now, &POLICY, self.chance.f64());
        let lease = Lease(self.mailbox[delivery].attempt);
        let event = match verdict.fate {
            Fate::Settled(outcome) => Event::Settle { lease, outcome },
            Fate::NotTaken { cause, reason, then } => Event::NotTaken { lease, cause, reason, then },
        };
        self.step(delivery, &event);
    }

    fn waits(&self) -> Vec<Duration> {
        self.made.windows(2).map(|pair| pair[1].0.since(pair[0].0)).collect()
    }

    fn ended(&self, state: State) -> usize {
        self.mailbox.iter().filter(|progress| progress.state == state).count()
    }
}

/// The mean of a wait is that of its jitter: nine tenths of the whole.
fn mean_backoff(failures: u32) -> Duration {
    POLICY.backoff(failures, 0.5)
}

fn within_a_tenth(found: Duration, expected: Duration) -> bool {
    found >= expected.mul_f64(0.9) && found <= expected.mul_f64(1.1)
}

#[test]
fn an_endpoint_that_fails_a_hundred_times_is_tried_as_the_policy_says() {
    let mut world = World::new(16, 50, |call, _| match call {
        0..100 => (away(), Duration::from_millis(5)),
        _ => (taken(), Duration::from_millis(5)),
    });
    world.run(usize::MAX);
    let waits = world.waits();
    for (failures, wait) in (1..=100_u32).zip(&waits) {
        let (most, least) = (POLICY.backoff(failures, 0.0), POLICY.backoff(failures, 1.0));
        assert!((least..=most + Duration::from_millis(5)).contains(wait), "{failures}: {wait:?}");
    }
    let took: Duration = waits[..100].iter().sum();
    let expected: Duration = (1..=100).map(mean_backoff).sum();
    assert!(within_a_tenth(took, expected));
    assert!(world.made[..100].iter().all(|(_, delivery, _)| *delivery == 0), "the same one each time");
    assert_eq!(world.ended(State::Delivered), 50);
    let Progress { attempt, spared, .. } = world.mailbox[0];
    assert_eq!((attempt, spared), (101, 100));
    assert!(world.mailbox[1..].iter().all(|progress| progress.attempt == 1), "no other was tried in vain");
}

#[test]
fn after_an_outage_the_window_grows_with_what_is_answered() {
    let mut world = World::new(16, 200, |call, _| match call {
        0..8 => (away(), Duration::from_millis(5)),
        _ => (taken(), Duration::from_millis(100)),
    });
    world.run(usize::MAX);
    let at_a_time: Vec<_> = world.made[8..].iter().map(|(_, _, on_their_way)| *on_their_way).collect();
    assert_eq!(at_a_time[0], 1, "the probe");
    let growth: Vec<_> =
        [2, 4, 8, 16].map(|n| at_a_time.iter().position(|on_their_way| *on_their_way == n)).into();
    let growth: Vec<_> = growth.into_iter().map(Option::unwrap).collect();
    assert!(growth.is_sorted() && growth[3] >= 15, "{growth:?}");
    assert_eq!(at_a_time.iter().max(), Some(&16));
    assert_eq!(world.ended(State::Delivered), 200);
}

#[test]
fn an_endpoint_that_hangs_is_given_up_after_a_few_and_probed_by_others() {
    // Every call hangs for its 30 seconds.
    let hangs = |_, _| (Said::Failed(trouble(Cause::PushTimedOut)), Duration::from_secs(30));
    let mut world = World::new(1, 20, hangs);
    world.run(23);
    let waits = world.waits();
    assert!(
        waits[..2].iter().all(|wait| *wait == Duration::from_secs(30)),
        "each might be the delivery's fault"
    );
    for (failures, wait) in (1..=19).zip(&waits[2..]) {
        let expected = Duration::from_secs(30) + mean_backoff(failures);
        assert!(within_a_tenth(*wait, expected), "{failures}: {wait:?}");
    }
    let tried: std::collections::BTreeSet<_> = world.made.iter().map(|(_, delivery, _)| *delivery).collect();
    assert!(tried.len() > 3, "one that makes it hang does not hold up the others: {tried:?}");
}

#[test]
fn a_slow_endpoint_gets_no_more_than_its_window() {
    let mut world = World::new(8, 100, |_, _| (taken(), Duration::from_secs(20)));
    world.run(usize::MAX);
    assert_eq!(world.ended(State::Delivered), 100);
    assert_eq!(world.made.iter().map(|(_, _, on_their_way)| on_their_way).max(), Some(&8));
    // 1 + 2 + 4, then 8 at a time.
    let expected = Duration::from_secs(20 * (3 + 93_u64.div_ceil(8)));
    assert!(within_a_tenth(world.now.since(t(0)), expected), "{:?}", world.now);
}

#[test]
fn resets_are_attempts_of_their_delivery_and_end_by_the_most_there_may_be() {
    // One delivery breaks the connection each time; the others arrive.
    let mut world = World::new(4, 30, |_, delivery| match delivery {
        7 => (failed(), Duration::from_millis(10)),
        _ => (taken(), Duration::from_millis(10)),
    });
    world.run(usize::MAX);
    assert_eq!((world.ended(State::Delivered), world.ended(State::Dead)), (29, 1));
    assert_eq!(world.mailbox[7].attempt, OF_DELIVERIES.attempts_max);
    let tries: Vec<_> =
        world.made.iter().filter(|(_, delivery, _)| *delivery == 7).map(|(at, ..)| *at).collect();
    for (failures, pair) in (1..).zip(tries.windows(2)) {
        let own = OF_DELIVERIES.backoff(failures, 0.0);
        assert!(pair[1].since(pair[0]) >= own, "{failures}");
    }
}

#[test]
fn permanent_answers_park_the_delivery_and_many_in_a_row_are_the_endpoints_fault() {
    let refused = || Said::Refused(trouble(Cause::PushRefused));
    let mut world = World::new(4, 30, |_, delivery| match delivery {
        3 => (refused(), Duration::from_millis(10)),
        _ => (taken(), Duration::from_millis(10)),
    });
    world.run(usize::MAX);
    assert_eq!((world.ended(State::Delivered), world.ended(State::Dead)), (29, 1));
    assert_eq!(world.mailbox[3].attempt, 1);
    assert!(world.now < t(1), "nobody waits for it");

    // An endpoint that refuses everything does not get to see the whole mailbox within minutes.
    let mut world = World::new(1, 1_000, |_, _| (refused(), Duration::from_millis(10)));
    world.run(15);
    assert!(world.now > t(600), "{:?}", world.now);
}

#[test]
fn a_later_retry_is_obeyed_within_bounds() {
    let ask = |seconds| {
        Said::Away(Trouble {
            retry_in: Some(Duration::from_secs(seconds)),
            ..trouble(Cause::PushUnreachable)
        })
    };
    let mut link = Link::new(4, None);
    bring(&mut link, ask(120), t(0));
    assert_eq!(link.room(t(0)), Room::NotBefore(t(120)));
    bring(&mut link, ask(0), t(120));
    assert_eq!(link.room(t(120)), Room::NotBefore(t(122)), "a wish is not sooner than the backoff");
    bring(&mut link, ask(1_000_000), t(122));
    assert_eq!(link.room(t(122)), Room::NotBefore(t(122 + 3_600)));
    // One about a single delivery moves that one only.
    let mut link = Link::new(4, None);
    let said =
        Said::Failed(Trouble { retry_in: Some(Duration::from_secs(50)), ..trouble(Cause::PushFailed) });
    let verdict = bring(&mut link, said, t(0));
    assert!(
        matches!(verdict.fate, Fate::NotTaken { then: Then::Retry { not_before }, .. } if not_before == t(50))
    );
    assert!(!verdict.link_changed && matches!(link.room(t(0)), Room::For(_)));
}

#[test]
fn what_does_not_pass_by_itself_waits_longest_at_once() {
    let mut link = Link::new(4, None);
    let verdict = bring(&mut link, Said::Shut(trouble(Cause::PushLinkRefused)), t(0));
    assert!(verdict.link_changed);
    assert!(matches!(verdict.fate, Fate::NotTaken { then: Then::Spare { .. }, .. }));
    assert_eq!(link.room(t(0)), Room::NotBefore(t(600)));
    assert_eq!(link.room(t(600)), Room::For(1));
    link.begin(1);
    assert_eq!(link.room(t(600)), Room::Full, "one probe at a time");
}

#[test]
fn what_was_on_its_way_when_an_outage_began_does_not_make_it_longer() {
    let mut link = Link::new(16, None);
    for _ in 0..40 {
        bring(&mut link, taken(), t(0));
    }
    assert_eq!(link.room(t(1)), Room::For(16));
    link.begin(16);
    for _ in 0..16 {
        link.end(1);
        link.hear(away(), t(1), &POLICY, 0.0);
    }
    let outage = link.outage().unwrap();
    assert_eq!((outage.failures, outage.retry_at, outage.since), (1, t(2), t(1)));
    bring(&mut link, away(), t(2));
    let outage = link.outage().unwrap();
    assert_eq!((outage.failures, outage.retry_at, outage.since), (2, t(4), t(1)));
    // After a restart it goes on where it was.
    let mut link = Link::new(16, link.outage().cloned());
    assert_eq!(link.room(t(3)), Room::NotBefore(t(4)));
    assert!(bring(&mut link, taken(), t(4)).link_changed);
    assert_eq!((link.outage(), link.room(t(4))), (None, Room::For(2)));
}

#[test]
fn whatever_is_answered_the_window_is_kept_and_the_way_back_is_open() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut link = Link::new(8, None);
    let (mut now, mut on_their_way) = (t(0), 0);
    for _ in 0..100_000 {
        match link.room(now) {
            Room::For(count) if rng.bool() => {
                let count = rng.usize(1..=count);
                link.begin(count);
                on_their_way += count;
            }
            Room::NotBefore(time) if on_their_way == 0 => now = time,
            _ if on_their_way > 0 => {
                let said = match rng.u8(0..7) {
                    0 => away(),
                    1 => failed(),
                    2 => Said::Refused(trouble(Cause::PushRefused)),
                    3 => Said::Full(trouble(Cause::PushUnreachable)),
                    4 => Said::Shut(trouble(Cause::PushLinkRefused)),
                    _ => taken(),
                };
                link.end(1);
                on_their_way -= 1;
                link.hear(said, now, &POLICY, rng.f64());
            }
            _ => {}
        }
        assert!(on_their_way <= 8);
        if let Some(outage) = link.outage() {
            assert!(outage.retry_at <= now.plus(POLICY.wish_max) && outage.failures > 0);
        }
    }
}
