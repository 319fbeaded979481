//! The worker in virtual time: its attempts follow the policy within a tenth, whatever the endpoint does.

use std::collections::BTreeSet;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::domain::delivery::State;
use crate::identity::endpoint::Error as TlsError;
use crate::push::answer::Fault;

mod town;

use town::{CALL_TIMEOUT, Does, Made, OF_DELIVERIES, POLICY, Town};

const QUICK: Duration = Duration::from_millis(50);

fn unavailable() -> Status {
    Status::unavailable("bảo trì")
}

fn wishes(seconds: u64) -> Status {
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(Duration::from_secs(seconds)));
    Status::with_error_details(Code::Unavailable, "sau", details)
}

fn waits<'m>(made: impl IntoIterator<Item = &'m Made>) -> Vec<Duration> {
    let at: Vec<_> = made.into_iter().map(|made| made.at).collect();
    at.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

fn assert_within_a_tenth(found: &[Duration], expected: impl IntoIterator<Item = Duration>) {
    for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
        let is_near = (expected.mul_f64(0.9)..=expected.mul_f64(1.1)).contains(found);
        assert!(is_near, "wait {n}: {found:?} where the policy says {expected:?}");
    }
}

/// The waits of an outage, each after a call that took so long.
fn outage(took: Duration) -> impl Iterator<Item = Duration> {
    (1..).map(move |failures| took + POLICY.backoff(failures, 0.5))
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_a_hundred_times() {
    let mut town = Town::new(16, |call, _| match call {
        0..100 => Does::Fails(unavailable(), QUICK),
        _ => Does::Takes(QUICK),
    })
    .await;
    town.accept(50).await;
    town.ended(50, &[State::Delivered]).await;
    let made = town.calls(150).await;
    assert_eq!(made.len(), 150);
    assert!(made[..=100].iter().all(|made| made.id == "m-0"), "the same one each time");
    assert_within_a_tenth(&waits(&made[..=100]), outage(QUICK));
    let at_a_time: Vec<_> = made[101..].iter().map(|made| made.under_way).collect();
    let growth = [2, 4, 8].map(|n| at_a_time.iter().position(|under_way| *under_way == n).unwrap());
    assert!(at_a_time[0] <= 2 && growth.is_sorted(), "{at_a_time:?}");
    let probed = town.stands(0).await.progress;
    assert_eq!((probed.attempt, probed.spared, probed.unsent), (101, 100, 0));
    for n in 1..50 {
        assert_eq!(town.stands(n).await.progress.attempt, 1, "m-{n} was not tried in vain");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_one() {
    let slow = Duration::from_secs(20);
    let mut town = Town::new(8, move |_, _| Does::Takes(slow)).await;
    town.accept(100).await;
    town.ended(100, &[State::Delivered]).await;
    let made = town.calls(100).await;
    assert_eq!((made.len(), made.iter().map(|made| made.under_way).max()), (100, Some(8)));
    // 1 + 2 + 4, then 8 at a time.
    assert_within_a_tenth(&[town.elapsed()], [slow * (3 + 93_u32.div_ceil(8))]);
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs() {
    let mut town = Town::new(1, |_, _| Does::Hangs).await;
    town.accept(20).await;
    let waits = waits(&town.calls(16).await[..16]);
    let alone = [CALL_TIMEOUT; 2];
    assert_within_a_tenth(&waits, alone.into_iter().chain(outage(CALL_TIMEOUT)));
    let made = town.calls(16).await;
    let tried: BTreeSet<_> = made.iter().map(|made| made.id.as_str()).collect();
    assert!(tried.len() > 1, "one that makes it hang does not hold up the others: {tried:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_breaks_the_connection_over_one_delivery() {
    let mut town = Town::new(4, |_, id| match id {
        "m-7" => Does::Resets(QUICK),
        _ => Does::Takes(QUICK),
    })
    .await;
    town.accept(30).await;
    town.ended(30, &[State::Delivered, State::Dead]).await;
    let made = town.calls(39).await;
    let tries = waits(made.iter().filter(|made| made.id == "m-7"));
    assert_eq!((made.len(), tries.len()), (29 + 10, 9));
    assert_within_a_tenth(&tries, (1..).map(|attempt| QUICK + OF_DELIVERIES.backoff(attempt, 0.5)));
    let broken = town.stands(7).await.progress;
    assert_eq!((broken.state, broken.attempt, broken.unsent), (State::Dead, OF_DELIVERIES.attempts_max, 0));
}

#[tokio::test(start_paused = true)]
async fn one_that_answers_with_permanent_errors() {
    let refuses = || Does::Fails(Status::invalid_argument("không đọc được"), QUICK);
    let mut town = Town::new(4, move |_, id| if id == "m-3" { refuses() } else { Does::Takes(QUICK) }).await;
    town.accept(30).await;
    town.ended(30, &[State::Delivered, State::Dead]).await;
    let refused = town.stands(3).await.progress;
    assert_eq!((refused.state, refused.attempt), (State::Dead, 1));
    assert!(town.elapsed() < Duration::from_secs(1), "nobody waits for it: {:?}", town.elapsed());

    // One that refuses everything is not brought the whole mailbox within minutes.
    let mut town = Town::new(1, move |_, _| refuses()).await;
    town.accept(30).await;
    let waits = waits(&town.calls(15).await[..15]);
    assert_within_a_tenth(&waits, [QUICK; 2].into_iter().chain(outage(QUICK)));
}

#[tokio::test(start_paused = true)]
async fn one_that_asks_for_a_later_retry() {
    let mut town = Town::new(4, |call, _| match call {
        0 => Does::Fails(wishes(120), QUICK),
        1 => Does::Fails(wishes(0), QUICK),
        2 => Does::Fails(wishes(1_000_000), QUICK),
        3 => Does::Fails(unavailable(), QUICK),
        _ => Does::Takes(QUICK),
    })
    .await;
    town.accept(3).await;
    town.ended(3, &[State::Delivered]).await;
    let made = town.calls(7).await;
    let asked = Duration::from_secs(120);
    let expected = [asked, POLICY.backoff(2, 0.5), POLICY.wish_max, POLICY.backoff(4, 0.5)];
    assert_within_a_tenth(&waits(&made[..5]), expected.map(|wait| wait + QUICK));
    assert!(made[1].at - made[0].at >= asked, "a wish is not cut short by jitter");
}

#[tokio::test(start_paused = true)]
async fn one_that_changes_its_certificate() {
    let other = || Fault::from(TlsError::WrongServer("NotValidForName".to_owned()));
    let mut town = Town::new(4, move |call, _| match call {
        1..7 => Does::Unmade(other()),
        _ => Does::Takes(QUICK),
    })
    .await;
    town.accept(4).await;
    town.ended(4, &[State::Delivered]).await;
    let made = town.calls(10).await;
    // It does not pass by itself: the longest wait at once, from the second of the two that were under way when it changed.
    assert_within_a_tenth(&waits(&made[2..8]), [POLICY.backoff(u32::MAX, 0.5); 5]);
    let held_up = town.stands(1).await.progress;
    assert_eq!(
        (held_up.attempt, held_up.spared, held_up.unsent),
        (6, 5, 5),
        "nothing of it left the gateway"
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_is_not_there() {
    let nobody = || Fault::Unreachable("connection refused".to_owned());
    let mut town = Town::new(4, move |call, _| match call {
        0..20 => Does::Unmade(nobody()),
        _ => Does::Takes(QUICK),
    })
    .await;
    town.accept(4).await;
    town.ended(4, &[State::Delivered]).await;
    assert_within_a_tenth(&waits(&town.calls(24).await[..=20]), outage(Duration::ZERO));
    assert_eq!(town.stands(0).await.progress.unsent, 20);
}
