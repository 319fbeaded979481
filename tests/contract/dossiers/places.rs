//! Point 9: where consumers stand.

use truc::domain::limits::CONSUMERS_PER_ORGAN_MAX;
use truc::dossiers::{Advanced, Consumer, Enrolled, Enrolment, Follower, Place, Share, TooManyConsumers};

use super::{LogUnderTest, Open};
use crate::support::{organ, soon};

fn portal(organ_id: &str) -> Consumer {
    Consumer { organ: organ(organ_id), name: "portal".to_owned() }
}

async fn enrol_as<L: LogUnderTest>(open: &Open<L>, consumer: Consumer, share: Share, start: u64) -> Enrolled {
    let enrolment = Enrolment { consumer, share, start, filter: format!("share {}", share.index).into() };
    soon(soon(open.log.enrol(enrolment)).await.unwrap()).await.unwrap()
}

/// Enrols a share of the portal, which would begin at 3; where it goes on.
async fn enrol<L: LogUnderTest>(open: &Open<L>, (index, of): (u32, u32)) -> u64 {
    enrol_as(open, portal("G09"), Share { index, of }, 3).await.unwrap()
}

async fn advance<L: LogUnderTest>(open: &Open<L>, (index, of): (u32, u32), position: u64) -> Advanced {
    let place = Place { consumer: portal("G09"), share: Share { index, of }, position };
    soon(soon(open.log.advance(place)).await.unwrap()).await.unwrap()
}

async fn followers<L: LogUnderTest>(open: &Open<L>) -> Vec<Follower> {
    soon(open.log.followers()).await.unwrap()
}

async fn positions<L: LogUnderTest>(open: &Open<L>) -> Vec<u64> {
    followers(open).await.into_iter().map(|known| known.place.position).collect()
}

pub async fn are_kept_from_the_first_enrolment_on<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    assert_eq!(followers(&open).await, []);
    assert_eq!(advance(&open, (0, 1), 7).await, Advanced::Unknown);
    assert_eq!(followers(&open).await, []);
    assert_eq!(enrol(&open, (0, 1)).await, 3);
    // It begins there even when it never said how far it was.
    let open = open.reopened().await;
    assert_eq!(enrol_as(&open, portal("G09"), Share::ALL, 50).await, Ok(3));
    let place = Place { consumer: portal("G09"), share: Share::ALL, position: 3 };
    assert_eq!(followers(&open).await, [Follower { place, filter: "share 0".into() }]);
}

pub async fn only_advance<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    enrol(&open, (0, 1)).await;
    assert_eq!(advance(&open, (0, 1), 7).await, Advanced::Done);
    assert_eq!(enrol(&open, (0, 1)).await, 7);
    assert_eq!(advance(&open, (0, 1), 5).await, Advanced::Done);
    assert_eq!(enrol(&open, (0, 1)).await, 7);
    let open = open.reopened().await;
    advance(&open, (0, 1), 8).await;
    assert_eq!(enrol(&open, (0, 1)).await, 8);
}

pub async fn other_shares_begin_where_the_last_stood<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    enrol(&open, (1, 2)).await;
    advance(&open, (1, 2), 9).await;
    // The other share of two has done nothing yet.
    assert_eq!(positions(&open).await, [3, 9]);
    advance(&open, (0, 2), 6).await;
    assert_eq!(enrol(&open, (2, 3)).await, 6);
    assert_eq!(positions(&open).await, [6, 6, 6]);
    // A connection of the old shares changes nothing any more.
    assert_eq!(advance(&open, (1, 2), 20).await, Advanced::Shares(3));
    advance(&open, (2, 3), 8).await;
    assert_eq!(positions(&open).await, [6, 6, 8]);
    assert_eq!(enrol(&open, (0, 1)).await, 6);
    assert_eq!(positions(&open).await, [6]);
}

pub async fn consumers_are_told_apart<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    enrol(&open, (0, 1)).await;
    advance(&open, (0, 1), 7).await;
    let other = Consumer { name: "statistics".to_owned(), ..portal("G09") };
    assert_eq!(enrol_as(&open, portal("H49"), Share::ALL, 1).await, Ok(1));
    assert_eq!(enrol_as(&open, other, Share::ALL, 2).await, Ok(2));
    assert_eq!(positions(&open).await, [7, 2, 1]);
}

pub async fn dismissed_consumers_are_forgotten<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    enrol(&open, (0, 2)).await;
    enrol_as(&open, portal("H49"), Share::ALL, 1).await.unwrap();
    let dismiss = async |consumer| soon(soon(open.log.dismiss(consumer)).await.unwrap()).await.unwrap();
    assert!(dismiss(portal("G09")).await);
    assert!(!dismiss(portal("G09")).await);
    assert_eq!(positions(&open).await, [1]);
    assert_eq!(advance(&open, (0, 2), 7).await, Advanced::Unknown);
}

pub async fn an_organ_has_no_more_consumers_than_it_may<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let numbered = |number: usize| Consumer { name: format!("c-{number}"), ..portal("G09") };
    for number in 0..CONSUMERS_PER_ORGAN_MAX {
        assert_eq!(enrol_as(&open, numbered(number), Share::ALL, 1).await, Ok(1));
    }
    let beyond = numbered(CONSUMERS_PER_ORGAN_MAX);
    assert_eq!(enrol_as(&open, beyond.clone(), Share::ALL, 1).await, Err(TooManyConsumers));
    // Those it has go on, in other shares too, and other organs have their own.
    assert_eq!(enrol_as(&open, numbered(0), Share { index: 1, of: 2 }, 9).await, Ok(1));
    assert_eq!(enrol_as(&open, portal("H49"), Share::ALL, 1).await, Ok(1));
    soon(soon(open.log.dismiss(numbered(1))).await.unwrap()).await.unwrap();
    assert_eq!(enrol_as(&open, beyond, Share::ALL, 1).await, Ok(1));
}
