//! Point 8: where consumers stand.

use truc::dossiers::{Consumer, Place, Share};

use super::{LogUnderTest, Open};
use crate::support::{organ, soon};

fn portal(organ_id: &str) -> Consumer {
    Consumer { organ: organ(organ_id), name: "portal".to_owned() }
}

async fn advance<L: LogUnderTest>(open: &Open<L>, (index, of): (u32, u32), position: u64) {
    let place = Place { consumer: portal("G09"), share: Share { index, of }, position };
    soon(soon(open.log.advance(place)).await.unwrap()).await.unwrap();
}

async fn place<L: LogUnderTest>(open: &Open<L>, (index, of): (u32, u32)) -> Option<u64> {
    soon(open.log.place(&portal("G09"), Share { index, of })).await.unwrap()
}

pub async fn none_before_the_first<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    assert_eq!(place(&open, (0, 1)).await, None);
    assert_eq!(soon(open.log.places()).await.unwrap(), []);
}

pub async fn only_advance<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    advance(&open, (0, 1), 7).await;
    assert_eq!(place(&open, (0, 1)).await, Some(7));
    advance(&open, (0, 1), 5).await;
    assert_eq!(place(&open, (0, 1)).await, Some(7));
    let open = open.reopened().await;
    advance(&open, (0, 1), 8).await;
    assert_eq!(place(&open, (0, 1)).await, Some(8));
}

pub async fn other_shares_begin_where_the_last_stood<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    advance(&open, (1, 2), 9).await;
    // The other share of two has done nothing yet.
    assert_eq!((place(&open, (0, 2)).await, place(&open, (1, 2)).await), (Some(0), Some(9)));
    advance(&open, (0, 2), 6).await;
    for index in 0..3 {
        assert_eq!(place(&open, (index, 3)).await, Some(6));
    }
    advance(&open, (2, 3), 8).await;
    assert_eq!((place(&open, (0, 3)).await, place(&open, (2, 3)).await), (Some(6), Some(8)));
    assert_eq!(place(&open, (0, 1)).await, Some(6));
    assert_eq!(soon(open.log.places()).await.unwrap().len(), 3);
}

pub async fn consumers_are_told_apart<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    advance(&open, (0, 1), 7).await;
    assert_eq!(soon(open.log.place(&portal("H49"), Share::ALL)).await.unwrap(), None);
    let other = Consumer { name: "statistics".to_owned(), ..portal("G09") };
    assert_eq!(soon(open.log.place(&other, Share::ALL)).await.unwrap(), None);
    let all = soon(open.log.places()).await.unwrap();
    assert_eq!(all, [Place { consumer: portal("G09"), share: Share::ALL, position: 7 }]);
}
