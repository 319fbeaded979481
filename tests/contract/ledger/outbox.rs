//! Point 8: what the broker has not confirmed is known.

use truc::domain::delivery::DeliveryId;
use truc::ledger::{BecameReady, Ready};

use super::{LedgerUnderTest, Open};
use crate::support::{dropped, letter, offer, organ, soon, t, urgent};

impl<L: LedgerUnderTest> Open<L> {
    async fn unpublished(&self) -> Vec<BecameReady> {
        soon(self.ledger.unpublished(DeliveryId(0), 1_000)).await.unwrap()
    }

    async fn unpublished_ids(&self) -> Vec<DeliveryId> {
        self.unpublished().await.iter().map(|became| became.ready.delivery).collect()
    }

    async fn published(&self, ready: Vec<Ready>) {
        soon(soon(self.ledger.published(ready)).await.unwrap()).await.unwrap();
    }

    async fn publish_again(&self, id: Option<&str>) -> u64 {
        let organ = id.map(organ);
        soon(soon(self.ledger.publish_again(organ.as_ref())).await.unwrap()).await.unwrap()
    }
}

pub async fn ready_is_unpublished_until_the_broker_has_it<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let first = open.accepted(urgent(letter("G22", "m1", &["H49", "H05"]))).await;
    open.accepted(letter("G22", "m2", &["H49"])).await;
    let told: Vec<_> = open.told().into_iter().flat_map(|commit| commit.ready).collect();
    let unpublished = open.unpublished().await;
    assert_eq!(unpublished.len(), 3);
    for (kept, told) in unpublished.iter().zip(&told) {
        assert_eq!((&kept.organ, kept.lane, kept.ready), (&told.organ, told.lane, told.ready));
    }
    open.published(vec![told[1].ready, told[2].ready]).await;
    assert_eq!(open.unpublished_ids().await, [first.deliveries[0].id]);
    // Said twice, or of what nobody has, it is harmless.
    let nobodys = Ready { delivery: DeliveryId(u64::MAX), ..told[0].ready };
    open.published(vec![told[1].ready, nobodys]).await;
    assert_eq!(open.unpublished_ids().await, [first.deliveries[0].id]);
}

pub async fn an_answer_about_an_earlier_attempt_changes_nothing<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let id = open.accepted(letter("G22", "m1", &["H49"])).await.deliveries[0].id;
    let before = open.told()[0].ready[0].ready;
    open.published(vec![before]).await;
    open.step(offer(id, t(2))).await.unwrap();
    assert!(open.unpublished().await.is_empty());
    open.step(dropped(id, 1, t(3))).await.unwrap();
    let unpublished = open.unpublished().await;
    assert_eq!(unpublished.len(), 1, "it is ready again");
    let again = &unpublished[0];
    assert_eq!((again.ready.delivery, again.ready.attempt), (id, 1));
    open.published(vec![before]).await;
    assert_eq!(open.unpublished_ids().await, [id], "the broker spoke of the attempt before");
    open.published(vec![again.ready]).await;
    assert!(open.unpublished().await.is_empty());
}

pub async fn unpublished_survives_a_kill<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    for n in 0..10 {
        open.accepted(letter("G22", &format!("m{n}"), &["H49"])).await;
    }
    let ready: Vec<_> = open.told().into_iter().flat_map(|c| c.ready).map(|b| b.ready).collect();
    open.published(ready[..4].to_vec()).await;
    let open = open.killed().await;
    let left: Vec<_> = open.unpublished().await.iter().map(|became| became.ready).collect();
    assert_eq!(left, ready[4..]);
}

pub async fn what_the_broker_lost_is_unpublished_again<L: LedgerUnderTest>() {
    let mut open = Open::<L>::new().await;
    let mut ids = Vec::new();
    for (n, to) in ["H49", "H05", "H49", "H49"].into_iter().enumerate() {
        ids.push(open.accepted(letter("G22", &format!("m{n}"), &[to])).await.deliveries[0].id);
    }
    let ready = open.told().into_iter().flat_map(|c| c.ready).map(|b| b.ready).collect();
    open.published(ready).await;
    // One of them is with a collector: that one the broker has handed over.
    open.step(offer(ids[2], t(2))).await.unwrap();
    assert_eq!(open.publish_again(Some("H49")).await, 2);
    assert_eq!(open.unpublished_ids().await, [ids[0], ids[3]]);
    assert_eq!(open.publish_again(Some("H77")).await, 0, "nobody knows this organ");
    assert_eq!(open.publish_again(None).await, 3);
    assert_eq!(open.unpublished_ids().await, [ids[0], ids[1], ids[3]]);
}

pub async fn unpublished_in_order_and_by_pages<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let mut ids = Vec::new();
    for n in 0..25 {
        let to = if n % 2 == 0 { "H49" } else { "H05" };
        ids.push(open.accepted(letter("G22", &format!("m{n}"), &[to])).await.deliveries[0].id);
    }
    let (mut after, mut seen) = (DeliveryId(0), Vec::new());
    loop {
        let page = soon(open.ledger.unpublished(after, 7)).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 7);
        after = last.ready.delivery;
        seen.extend(page.iter().map(|became| became.ready.delivery));
    }
    assert_eq!(seen, ids);
}
