//! Several collectors of one organ: who gets what, how much, and in which order.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::task::JoinSet;
use truc::proto::v1::{self, DeliveryState};

use super::{id, submit_many};
use crate::support::{Agency, Collecting, Site, delivered, document, soon, until};

/// Who holds what, and what has ended.
#[derive(Default)]
struct Board {
    held: HashMap<String, usize>,
    settled: HashSet<String>,
    shares: [usize; 4],
}

impl Board {
    fn handed(&mut self, delivery: &v1::Delivery, me: usize) {
        let id = &delivery.delivery_id;
        let other = self.held.insert(id.clone(), me);
        assert_eq!(other, None, "{id} is with two at once");
        assert!(!self.settled.contains(id), "{id} is offered after its settlement was answered");
        assert_eq!(delivery.attempt, 1);
    }

    fn settled(&mut self, result: &v1::SettleResult, me: usize) {
        assert_eq!(result.state(), DeliveryState::Delivered, "{result:?}");
        assert_eq!(self.held.remove(&result.delivery_id), Some(me));
        self.settled.insert(result.delivery_id.clone());
        self.shares[me] += 1;
    }
}

/// Collects and settles until told that all is done.
async fn share(
    mut collecting: Collecting,
    me: usize,
    board: Arc<Mutex<Board>>,
    mut done: watch::Receiver<bool>,
) {
    loop {
        let response = tokio::select! {
            response = collecting.responses.message() => response.unwrap().unwrap(),
            _ = done.changed() => return,
        };
        {
            let mut board = board.lock().unwrap();
            response.deliveries.iter().for_each(|delivery| board.handed(delivery, me));
            response.settled.iter().for_each(|result| board.settled(result, me));
        }
        if !response.deliveries.is_empty() {
            collecting.settle(response.deliveries.iter().map(delivered).collect()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "the figures of this test")]
async fn collectors_of_one_organ_share_the_work_and_none_gets_what_another_holds() {
    const ALL: usize = 2_000;
    let site = Site::new(&[]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let board = Arc::new(Mutex::new(Board::default()));
    let (done, told) = watch::channel(false);
    let mut sharers = JoinSet::new();
    for me in 0..4 {
        let collecting = site.agency(&gateway, "H49").await.collect(16).await;
        sharers.spawn(share(collecting, me, Arc::clone(&board), told.clone()));
    }
    submit_many(&g22, "m", "H49", ALL).await;
    until("all of it", async || board.lock().unwrap().settled.len() == ALL).await;
    done.send_replace(true);
    soon("the collectors", sharers.join_all()).await;
    let shares = board.lock().unwrap().shares;
    println!("shares of {ALL}: {shares:?}");
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    assert_eq!(shares.iter().sum::<usize>(), ALL);
    assert_eq!(gateway.metric("truc_offers_total").await, ALL as f64, "each was offered once");
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_what_it_has_room_for_and_no_more() {
    let site = Site::new(&["limits.collect_window_bytes = 65536"]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let mut collecting = h49.collect(3).await;
    submit_many(&g22, "m", "H49", 10).await;
    let mut held = Vec::new();
    while held.len() < 3 {
        held.extend(collecting.deliveries().await);
    }
    pass_by(&site, &g22, &gateway, "other-1").await;
    assert_eq!(gateway.metric("truc_offers_total").await, 4.0, "three, and one for the other organ");
    collecting.settle(vec![delivered(&held.remove(0))]).await;
    held.extend(collecting.deliveries().await);
    pass_by(&site, &g22, &gateway, "other-2").await;
    assert_eq!(gateway.metric("truc_offers_total").await, 6.0, "one for the one settled");
    let ids: Vec<&str> = held.iter().map(id).collect();
    assert_eq!(ids, ["m-1", "m-2", "m-3"], "in the order of acceptance");
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn payload_bytes_unsettled_are_bounded_and_a_large_delivery_comes_alone() {
    let site = Site::new(&["limits.collect_window_bytes = 65536"]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    for (n, bytes) in [30_000, 30_000, 30_000, 200_000, 10].into_iter().enumerate() {
        g22.submit(document(&format!("m-{n}"), &["H49"], vec![7; bytes])).await.unwrap();
    }
    let mut collecting = h49.collect(100).await;
    let mut seen: Vec<Vec<String>> = Vec::new();
    for expected in [2, 1, 1, 1] {
        let mut held = Vec::new();
        while held.len() < expected {
            held.extend(collecting.deliveries().await);
        }
        pass_by(&site, &g22, &gateway, &format!("other-{}", seen.len())).await;
        seen.push(held.iter().map(|delivery| id(delivery).to_owned()).collect());
        collecting.settle(held.iter().map(delivered).collect()).await;
    }
    assert_eq!(seen, [vec!["m-0", "m-1"], vec!["m-2"], vec!["m-3"], vec!["m-4"]]);
    assert_eq!(gateway.stop(), Some(0));
}

/// A whole exchange of another organ: what the gateway was going to do at once, it has done by then.
async fn pass_by(site: &Site, sender: &Agency, gateway: &crate::support::Process, message_id: &str) {
    let other = site.agency(gateway, "H05").await;
    sender.submit(document(message_id, &["H05"], b"x".to_vec())).await.unwrap();
    let got = other.fetch(10, 10).await;
    assert_eq!(got.len(), 1);
    other.settle(vec![delivered(&got[0])]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_urgent_lane_is_served_first_and_each_lane_in_order() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let urgencies = [
        v1::Urgency::Normal,
        v1::Urgency::Unspecified,
        v1::Urgency::Urgent,
        v1::Urgency::TimedExpress,
        v1::Urgency::Normal,
        v1::Urgency::VeryUrgent,
    ];
    for (n, urgency) in urgencies.into_iter().enumerate() {
        let mut submission = document(&format!("m-{n}"), &["H49"], b"x".to_vec());
        if let Some(v1::submission::Content::Document(document)) = &mut submission.content {
            document.header.as_mut().unwrap().urgency = urgency.into();
        }
        g22.submit(submission).await.unwrap();
    }
    let mut collecting = h49.collect(2).await;
    let mut order = Vec::new();
    while order.len() < urgencies.len() {
        let deliveries = collecting.deliveries().await;
        order.extend(deliveries.iter().map(|delivery| id(delivery).to_owned()));
        collecting.settle(deliveries.iter().map(delivered).collect()).await;
    }
    assert_eq!(order, ["m-3", "m-5", "m-2", "m-0", "m-1", "m-4"]);
    assert_eq!(gateway.stop(), Some(0));
}
