//! Which shares of consumers connections of this node serve: each share one, the newest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::dossiers::{Consumer, Share};

/// The shares that are served.
#[derive(Debug, Default)]
pub struct Shares(Mutex<Served>);

#[derive(Debug, Default)]
struct Served {
    by: HashMap<(Consumer, Share), (u64, CancellationToken)>,
    last: u64,
}

/// A share that is served; dropped, it is no longer.
#[derive(Debug)]
pub struct Taken {
    shares: Arc<Shares>,
    key: (Consumer, Share),
    number: u64,
    /// Cancelled once another connection serves the share.
    pub lost: CancellationToken,
}

impl Shares {
    /// Takes a share, from whoever had it.
    pub fn take(self: &Arc<Self>, consumer: Consumer, share: Share) -> Taken {
        let mut served = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        served.last += 1;
        let (number, lost, key) = (served.last, CancellationToken::new(), (consumer, share));
        if let Some((_, before)) = served.by.insert(key.clone(), (number, lost.clone())) {
            before.cancel();
        }
        Taken { shares: Arc::clone(self), key, number, lost }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut served = self.shares.0.lock().unwrap_or_else(PoisonError::into_inner);
        if served.by.get(&self.key).is_some_and(|(number, _)| *number == self.number) {
            served.by.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::organ_id::OrganId;

    #[test]
    fn the_newest_has_it() {
        let shares = Arc::new(Shares::default());
        let consumer = Consumer { organ: OrganId::parse("G09").unwrap(), name: "portal".to_owned() };
        let first = shares.take(consumer.clone(), Share { index: 0, of: 2 });
        let other = shares.take(consumer.clone(), Share { index: 1, of: 2 });
        let second = shares.take(consumer.clone(), Share { index: 0, of: 2 });
        assert!(first.lost.is_cancelled() && !other.lost.is_cancelled() && !second.lost.is_cancelled());
        drop(first);
        let third = shares.take(consumer, Share { index: 0, of: 2 });
        assert!(second.lost.is_cancelled() && !third.lost.is_cancelled());
        drop((second, other, third));
        assert!(shares.0.lock().unwrap().by.is_empty());
    }
}
