//! Numbers come from outside, up to the largest.

use std::time::Duration;

use truc::domain::delivery::{DeliveryId, Event, State};
use truc::domain::message::Lane;
use truc::ledger::{AcceptRefused, MessageKey, StepError};

use super::reading::ten;
use super::{LedgerUnderTest, Open};
use crate::support::{EXPIRY, dropped, letter, offer, organ, soon, step, t};

/// What nobody has is not found, and harms no neighbour.
/// One recipient's mailbox may hold less than others.
pub async fn a_mailbox_of_its_own_size<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let small = |id: &str| {
        let mut letter = letter("G22", id, &["H49", "H57"]);
        letter.addressees[1].mailbox_max = Some(2);
        letter
    };
    for id in ["one", "two"] {
        open.accepted(small(id)).await;
    }
    let full = AcceptRefused::MailboxFull { organ: organ("H57"), open: 2 };
    assert_eq!(open.accept(vec![small("three")]).await, [Err(full)]);
    assert!(open.accepted(small("one")).await.repeated);
    for (id, expected) in [("H57", 2), ("H49", 2), ("H60", 0)] {
        assert_eq!(soon(open.ledger.open_deliveries(&organ(id))).await.unwrap(), expected, "{id}");
    }
    open.accepted(letter("G22", "four", &["H57"])).await;
}

pub async fn numbers_nobody_has<L: LedgerUnderTest>() {
    let open = Open::<L>::new().await;
    let ids = ten(&open).await;
    let (id, far) = (ids[0], Duration::MAX);
    for beyond in [u64::MAX, 1 << 63, i64::MAX as u64] {
        let nobody = DeliveryId(beyond);
        let answers = open.steps(vec![offer(nobody, t(2).plus(far)), offer(id, t(2))]).await;
        assert_eq!(answers[0], Err(StepError::NotFound));
        assert_eq!(answers[1].as_ref().unwrap().delivery, id);
        open.step(dropped(id, answers[1].as_ref().unwrap().progress.attempt, t(2))).await.unwrap();
        // Ready again at once or later, whichever attempt it was.
        if let Ok(stepped) = open.step(step(id, Event::Due, t(99))).await {
            assert_eq!(stepped.progress.state, State::Queued);
        }
        let ledger = &open.ledger;
        assert_eq!(soon(ledger.ready(&organ("H49"), Lane::Normal, nobody, 9)).await.unwrap(), []);
        assert_eq!(soon(ledger.receipts(&organ("G22"), beyond, 9)).await.unwrap(), []);
        assert_eq!(soon(ledger.messages(vec![MessageKey(beyond)])).await.unwrap(), []);
        let before = Some(MessageKey(beyond));
        assert_eq!(soon(ledger.sent(&organ("G22"), before, usize::MAX)).await.unwrap().len(), 10);
        let h49 = organ("H49");
        let received = soon(ledger.received(&h49, Some(nobody), false, usize::MAX)).await.unwrap();
        assert_eq!(received.len(), 10);
    }
    let whole = soon(open.ledger.receipts(&organ("G22"), 0, usize::MAX)).await.unwrap();
    assert!(whole.len() >= 10);
    assert_eq!(soon(open.ledger.due(t(EXPIRY), usize::MAX)).await.unwrap().len(), 15);
    assert_eq!(soon(open.ledger.held_by_streams(usize::MAX)).await.unwrap(), []);
}
