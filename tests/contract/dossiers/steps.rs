//! Points 2 and 3: each step is decided on what is there, by itself, and once.

use std::sync::Arc;

use truc::domain::dossier::DossierStatus::{Accepted, InProcess, Registered, Returned, Stopped};
use truc::domain::dossier::{Flags, StepRefused};
use truc::domain::limits::DOSSIER_GAP_STEPS_MAX;

use super::{LogUnderTest, Open, publish, step, with_status};
use crate::support::t;

const DOSSIER: &str = "H49-20260101-1";

pub async fn stored_as_it_was_published<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let mut new = with_status(DOSSIER, 1, Registered);
    new.at = t(77);
    let published = open.one(new.clone()).await.unwrap();
    assert_eq!((published.position, published.repeated, published.held_until), (Some(1), false, None));
    assert_eq!((published.flags, published.missing), (Flags::default(), vec![]));
    let events = open.events().await;
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!((event.position, event.step, event.at, &event.body), (Some(1), 1, t(77), &new.body));
    let unusual = open.one(with_status(DOSSIER, 2, Stopped)).await.unwrap();
    assert_eq!(unusual.flags, Flags::UNUSUAL);
    assert_eq!(open.events().await[1].flags, Flags::UNUSUAL);
}

pub async fn a_repeat_changes_nothing<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let first = open.one(step(DOSSIER, 1)).await.unwrap();
    let held = open.one(step(DOSSIER, 3)).await.unwrap();
    let before = open.events().await;
    let mut later = step(DOSSIER, 1);
    later.at = t(99);
    let again = open.publish(vec![later, step(DOSSIER, 3), step(DOSSIER, 3)]).await;
    for (again, first) in again.into_iter().zip([&first, &held, &held]) {
        let again = again.unwrap();
        assert!(again.repeated);
        assert_eq!((again.position, &again.missing), (first.position, &first.missing));
        assert_eq!((again.flags, again.held_until), (first.flags, first.held_until));
    }
    assert_eq!(open.events().await, before);
}

pub async fn a_refusal_leaves_its_neighbours_alone<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    open.one(with_status(DOSSIER, 1, Accepted)).await.unwrap();
    let answers = open
        .publish(vec![
            with_status("H49-20260101-2", 1, Accepted),
            with_status(DOSSIER, 1, InProcess),
            with_status(DOSSIER, 2, InProcess),
            with_status("H49-20260101-3", 0, Accepted),
        ])
        .await;
    assert_eq!(answers[0].as_ref().unwrap().position, Some(2));
    assert_eq!(answers[1], Err(StepRefused::Conflict { number: 1, status: Some(Accepted) }));
    assert_eq!(answers[2].as_ref().unwrap().position, Some(3));
    assert_eq!(answers[3], Err(StepRefused::Number(0)));
    assert_eq!(open.events().await.len(), 3);
}

pub async fn each_refusal_is_typed<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    open.publish(vec![with_status(DOSSIER, 1, Accepted), with_status(DOSSIER, 2, InProcess)]).await;
    let far = DOSSIER_GAP_STEPS_MAX + 3;
    let refused = |new| async { open.one(new).await.unwrap_err() };
    assert_eq!(
        refused(with_status(DOSSIER, 3, Registered)).await,
        StepRefused::BackToStart { number: 3, before: 2 }
    );
    assert_eq!(refused(step(DOSSIER, far)).await, StepRefused::TooFar { number: far, shown: 2 });
    open.one(with_status(DOSSIER, 4, InProcess)).await.unwrap();
    assert_eq!(
        refused(with_status(DOSSIER, 3, Returned)).await,
        StepRefused::EndTooEarly { number: 3, later: 4 }
    );
    open.one(with_status(DOSSIER, 5, Returned)).await.unwrap();
    assert_eq!(refused(step(DOSSIER, 6)).await, StepRefused::Ended { number: 6, end: 5 });
    open.one(with_status(DOSSIER, 3, InProcess)).await.unwrap();
    assert_eq!(open.events().await.len(), 5);
}

pub async fn two_writers_of_one_step_are_decided_once<L: LogUnderTest>() {
    let open = Open::<L>::unheard().await;
    let writers = [InProcess, Stopped, Accepted, InProcess].map(|status| {
        let log = Arc::clone(&open.log);
        tokio::spawn(async move { publish(&log, vec![with_status(DOSSIER, 1, status)]).await.remove(0) })
    });
    let (mut fresh, mut repeated, mut refused) = (0, 0, 0);
    for writer in writers {
        match writer.await.unwrap() {
            Ok(published) if published.repeated => repeated += 1,
            Ok(_) => fresh += 1,
            Err(why) => {
                assert!(matches!(why, StepRefused::Conflict { number: 1, .. }));
                refused += 1;
            }
        }
    }
    assert_eq!((fresh, fresh + repeated + refused), (1, 4));
    assert_eq!(open.events().await.len(), 1);
}
