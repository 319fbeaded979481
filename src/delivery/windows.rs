//! How many deliveries an organ's system holds unsettled on this node, all its collectors and fetches together, where a limit of
//! its own bounds that.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::delivery::{DeliveryId, Lease};
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;

/// The windows of organs that have a limit. What is held is forgotten when it is settled here or its lease ends.
#[derive(Clone, Debug, Default)]
pub struct Windows(Arc<Mutex<HashMap<OrganId, Arc<Window>>>>);

#[derive(Debug)]
struct Window {
    inner: Mutex<Inner>,
    freed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Inner {
    // For what is being taken.
    reserved: usize,
    // What was offered, until when.
    held: HashMap<(DeliveryId, Lease), Timestamp>,
}

/// The part of one who serves an organ's mailbox.
#[derive(Debug)]
pub struct Share {
    organ: OrganId,
    windows: Windows,
    joined: Option<(Arc<Window>, watch::Receiver<()>)>,
}

/// Room for deliveries to be taken. Dropped, it is given back.
#[derive(Debug)]
pub struct Room {
    window: Option<Arc<Window>>,
    count: usize,
}

impl Windows {
    fn map(&self) -> MutexGuard<'_, HashMap<OrganId, Arc<Window>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes part in an organ's window.
    pub fn share(&self, organ: &OrganId) -> Share {
        Share { organ: organ.clone(), windows: self.clone(), joined: None }
    }

    /// These are held no more.
    pub fn release(&self, organ: &OrganId, held: impl IntoIterator<Item = (DeliveryId, Lease)>) {
        let mut map = self.map();
        let Some(window) = map.get(organ) else { return };
        let is_empty = {
            let mut inner = window.inner();
            let before = inner.held.len();
            for one in held {
                inner.held.remove(&one);
            }
            if inner.held.len() < before {
                window.freed.send_replace(());
            }
            inner.held.is_empty()
        };
        // Nobody shares it but this map.
        if is_empty && Arc::strong_count(window) == 1 {
            map.remove(organ);
        }
    }
}

impl Window {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Reserves room for at most `wanted` deliveries, of `max` altogether; without a maximum for all that are wanted.
    pub fn room(&mut self, max: Option<u32>, wanted: usize, now: Timestamp) -> Room {
        let Some(max) = max.filter(|_| wanted > 0) else { return Room { window: None, count: wanted } };
        let (window, freed) = self.joined.get_or_insert_with(|| {
            let mut map = self.windows.map();
            let window = map.entry(self.organ.clone()).or_insert_with(|| {
                Arc::new(Window { inner: Mutex::default(), freed: watch::Sender::new(()) })
            });
            (Arc::clone(window), window.freed.subscribe())
        });
        freed.mark_unchanged();
        let mut inner = window.inner();
        let free = |inner: &Inner| (max as usize).saturating_sub(inner.reserved + inner.held.len());
        if free(&inner) < wanted {
            inner.held.retain(|_, until| *until > now);
        }
        let count = free(&inner).min(wanted);
        inner.reserved += count;
        Room { window: Some(Arc::clone(window)), count }
    }

    /// Waits until there may be room again: something was settled or given back, or a lease has ended.
    pub async fn freed(&mut self, now: Timestamp) {
        let Some((window, freed)) = &mut self.joined else { return };
        let first_end = window.inner().held.values().min().copied();
        let lease_end = async {
            match first_end {
                Some(end) => tokio::time::sleep(end.since(now).max(Duration::from_millis(1))).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // The sender is in the window this one shares.
            _freed = freed.changed() => {}
            () = lease_end => {}
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.joined.take().is_some() {
            self.windows.release(&self.organ, []);
        }
    }
}

impl Room {
    /// For how many.
    pub fn count(&self) -> usize {
        self.count
    }

    /// These were offered and are held, each until its time; the rest is given back.
    pub fn hold(self, offered: impl IntoIterator<Item = ((DeliveryId, Lease), Timestamp)>) {
        if let Some(window) = &self.window {
            window.inner().held.extend(offered);
        }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(window) = self.window.take().filter(|_| self.count > 0) {
            window.inner().reserved -= self.count;
            window.freed.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Option<u32> = Some(3);

    fn at(second: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(second))
    }

    fn held(ids: std::ops::Range<u64>, until: u64) -> impl Iterator<Item = ((DeliveryId, Lease), Timestamp)> {
        ids.map(move |id| ((DeliveryId(id), Lease(1)), at(until)))
    }

    #[test]
    fn all_who_share_a_window_hold_no_more_than_it_has() {
        let (windows, organ) = (Windows::default(), OrganId::parse("H49").unwrap());
        let (mut one, mut other) = (windows.share(&organ), windows.share(&organ));
        let room = one.room(MAX, 2, at(0));
        assert_eq!((room.count(), other.room(MAX, 9, at(0)).count()), (2, 1));
        // Of two that were taken the ledger granted one.
        room.hold(held(0..1, 60));
        assert_eq!(other.room(MAX, 9, at(0)).count(), 2);
        other.room(MAX, 9, at(0)).hold(held(1..3, 70));
        assert_eq!(one.room(MAX, 9, at(59)).count(), 0);
        assert_eq!(one.room(None, 9, at(59)).count(), 9, "without a limit");
        // A lease that has ended is held no more, and an answer to an earlier one frees nothing.
        windows.release(&organ, [(DeliveryId(1), Lease(0))]);
        assert_eq!(one.room(MAX, 9, at(60)).count(), 1);
        windows.release(&organ, [(DeliveryId(1), Lease(1))]);
        assert_eq!(one.room(MAX, 9, at(60)).count(), 2);
        drop((one, other));
        assert_eq!(windows.share(&organ).room(MAX, 9, at(60)).count(), 2, "what a fetch holds stays");
        windows.release(&organ, [(DeliveryId(2), Lease(1))]);
        assert!(windows.map().is_empty(), "nothing is kept of an organ that holds nothing");
    }

    #[tokio::test]
    async fn who_finds_no_room_is_told_of_it() {
        let (windows, organ) = (Windows::default(), OrganId::parse("H49").unwrap());
        let (mut one, mut other) = (windows.share(&organ), windows.share(&organ));
        let room = one.room(MAX, 3, at(0));
        assert_eq!(other.room(MAX, 1, at(0)).count(), 0);
        // Given back before the wait begins.
        drop(room);
        other.freed(at(0)).await;
        one.room(MAX, 3, at(0)).hold(held(0..3, 60));
        assert_eq!(other.room(MAX, 1, at(0)).count(), 0);
        windows.release(&organ, [(DeliveryId(0), Lease(1))]);
        other.freed(at(0)).await;
        one.room(MAX, 1, at(0)).hold(held(3..4, 60));
        let soon = at(60).plus(Duration::from_millis(20));
        one.room(MAX, 1, at(60)).hold([((DeliveryId(4), Lease(1)), soon)]);
        one.room(MAX, 2, at(60)).hold(held(5..7, 90));
        assert_eq!(other.room(MAX, 1, at(60)).count(), 0);
        let began = std::time::Instant::now();
        other.freed(at(60)).await;
        assert!(began.elapsed() >= Duration::from_millis(20), "when the first lease ends");
        assert_eq!(other.room(MAX, 1, soon).count(), 1);
    }
}
