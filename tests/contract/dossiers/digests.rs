//! Digests of dossiers, for comparisons.

use std::collections::BTreeMap;

use truc::domain::dossier::{DossierDigest, DossierStatus};
use truc::dossiers::{Digested, Extent, NewStep};

use super::{LogUnderTest, Open, step, with_status};
use crate::support::{organ, soon, t};

/// The digest of a dossier of these steps.
fn of(steps: &[NewStep]) -> DossierDigest {
    let mut steps: Vec<_> = steps.iter().map(|new| (new.offer.number, new.offer.fingerprint)).collect();
    steps.sort_unstable_by_key(|(number, _)| *number);
    DossierDigest::of(steps)
}

fn extent(top: &str, days: (u32, u32)) -> Extent {
    Extent { at_or_below: organ(top), days }
}

const ALL: (u32, u32) = (0, 99_999_999);

/// All pages of so many.
async fn paged<L: LogUnderTest>(open: &Open<L>, extent: &Extent, limit: usize) -> Vec<Digested> {
    let mut found: Vec<Digested> = Vec::new();
    loop {
        let after = found.last().map(|(code, _)| code.clone());
        let page = soon(open.log.digests(extent, after.as_deref(), limit)).await.unwrap();
        assert!(page.len() <= limit);
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

pub async fn of_all_steps_held_ones_too<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let code = "H49-20260101-1";
    let steps: Vec<_> = [1, 2, 4, 6].into_iter().map(|number| step(code, number)).collect();
    let digest = async |open: &Open<L>| paged(open, &extent("H49", ALL), 10).await[0].1;
    open.one(steps[0].clone()).await.unwrap();
    assert_eq!(digest(&open).await, of(&steps[..1]));
    // Another content is refused, a repeat is none more.
    open.one(with_status(code, 1, DossierStatus::Stopped)).await.unwrap_err();
    open.one(steps[0].clone()).await.unwrap();
    assert_eq!(digest(&open).await, of(&steps[..1]));
    // Held, in another order.
    open.publish(vec![steps[3].clone(), steps[2].clone(), steps[1].clone()]).await;
    assert_eq!(digest(&open).await, of(&steps));
    open.release(t(10_000)).await;
    assert_eq!(digest(&open).await, of(&steps));
    let late = step(code, 3);
    open.one(late.clone()).await.unwrap();
    let all: Vec<_> = steps.into_iter().chain([late]).collect();
    assert_eq!(digest(&open).await, of(&all));
    let open = open.killed().await;
    assert_eq!(digest(&open).await, of(&all));
}

pub async fn paged_over_owners_and_days<L: LogUnderTest>() {
    let open = Open::<L>::new().await;
    let owners = ["H48", "H49", "H49.1", "H49.1.5", "H49.12", "H49.2", "H50", "G09"];
    let days = [20260131, 20260201, 20260215, 20260228, 20260301];
    let mut all = BTreeMap::new();
    for owner in owners {
        for day in days {
            for sequence in [1, 2, 10] {
                let new = step(&format!("{owner}-{day}-{sequence}"), 1);
                all.insert(new.dossier.to_string(), of(std::slice::from_ref(&new)));
                open.one(new).await.unwrap();
            }
        }
    }
    for (top, days) in [
        ("H49", ALL),
        ("H49", (20260201, 20260228)),
        ("H49.1", (20260201, 20260201)),
        ("H49", (20260302, 20261231)),
        ("H49", (20260301, 20260201)),
        ("H51", ALL),
    ] {
        let below = format!("{top}.");
        let wanted: BTreeMap<_, _> = all
            .iter()
            .filter(|(code, _)| {
                let (owner, rest) = code.split_once('-').unwrap();
                let day: u32 = rest[..8].parse().unwrap();
                (owner == top || owner.starts_with(&below)) && days.0 <= day && day <= days.1
            })
            .map(|(code, digest)| (code.clone(), *digest))
            .collect();
        for limit in [1, 7, 1_000] {
            let found = paged(&open, &extent(top, days), limit).await;
            assert_eq!(found.len(), wanted.len(), "{top} {days:?} {limit}");
            assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), wanted, "{top} {days:?} {limit}");
        }
    }
}
