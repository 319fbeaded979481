//! A dead collector and a slow one cost the others nothing: measured as a ratio, with and without them in one run.

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::submit_many;
use crate::support::{Agency, Collecting, Process, Site, delivered, soon};

/// Documents of one measured round.
const ROUND: usize = 1_500;
/// Rounds of each kind; they take turns, and the best of each kind counts.
const ROUNDS: usize = 4;
/// What others must still get beside a dead and a slow collector, as a share of what they get without.
const RATIO_MIN: f64 = 0.7;

/// How many deliveries a second one organ gets from submission to settlement.
async fn round(sender: &Agency, collecting: &mut Collecting, name: &str) -> f64 {
    let started = Instant::now();
    let collect = async {
        let mut settled = 0;
        while settled < ROUND {
            let response = soon("the next ones", collecting.responses.message()).await.unwrap().unwrap();
            settled += response.settled.len();
            if !response.deliveries.is_empty() {
                collecting.settle(response.deliveries.iter().map(delivered).collect()).await;
            }
        }
    };
    tokio::join!(submit_many(sender, name, "H49", ROUND), collect);
    ROUND as f64 / started.elapsed().as_secs_f64()
}

/// A collector that takes a full window and never settles.
async fn dead(agency: &Agency) -> Collecting {
    let mut collecting = agency.collect(32).await;
    let mut held = 0;
    while held < 32 {
        held += collecting.deliveries().await.len();
    }
    collecting
}

/// A collector that takes its time over each delivery.
fn slow(mut collecting: Collecting) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            for delivery in collecting.deliveries().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
                collecting.settle(vec![delivered(&delivery)]).await;
            }
        }
    })
}

/// One dead collector in the very mailbox that is measured, one in another; a slow one in a third.
async fn burden(
    site: &Site,
    gateway: &Process,
    sender: &Agency,
    n: usize,
) -> (Vec<Collecting>, JoinHandle<()>) {
    let (h49, h05) = (site.agency(gateway, "H49").await, site.agency(gateway, "H05").await);
    let h55 = site.agency(gateway, "H55").await;
    submit_many(sender, &format!("same-{n}"), "H49", 32).await;
    let same = dead(&h49).await;
    submit_many(sender, &format!("dead-{n}"), "H05", 500).await;
    let other = dead(&h05).await;
    submit_many(sender, &format!("slow-{n}"), "H55", 500).await;
    (vec![same, other], slow(h55.collect(32).await))
}

/// Takes what the dead collector of the measured mailbox had held, so that the next round starts anew.
async fn relieve(h49: &Agency) {
    let mut taken = 0;
    while taken < 32 {
        let held = soon("what the dead one held", h49.fetch(100, 20)).await;
        taken += held.len();
        h49.settle(held.iter().map(delivered).collect()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of this test")]
async fn a_dead_collector_and_a_slow_one_do_not_change_what_others_get() {
    let site = Site::new(&["limits.rate_per_s = 1000000", "limits.rate_burst = 1000000"]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    round(&g22, &mut h49.collect(256).await, "warm").await;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for n in 0..ROUNDS {
        alone.push(round(&g22, &mut h49.collect(256).await, &format!("alone-{n}")).await);
        let (dead, slow) = burden(&site, &gateway, &g22, n).await;
        beside.push(round(&g22, &mut h49.collect(256).await, &format!("beside-{n}")).await);
        slow.abort();
        drop(dead);
        relieve(&h49).await;
    }
    let best = |rates: &[f64]| rates.iter().copied().fold(0.0, f64::max);
    let ratio = best(&beside) / best(&alone);
    println!("alone {alone:.0?}/s, beside a dead and a slow collector {beside:.0?}/s, ratio {ratio:.2}");
    assert!(ratio >= RATIO_MIN, "{ratio:.2}");
    assert_eq!(gateway.stop(), Some(0));
}
