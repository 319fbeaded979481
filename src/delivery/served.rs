//! Which mailboxes somebody serves on this node, and whether anything moves in them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::organ_id::OrganId;

/// The mailboxes served.
#[derive(Debug, Default)]
pub struct Served(Arc<Mutex<HashMap<OrganId, Arc<Service>>>>);

#[derive(Debug, Default)]
struct Service {
    collectors: AtomicUsize,
    full: AtomicUsize,
    out: AtomicUsize,
    moved: AtomicU64,
}

/// One who serves a mailbox. Dropped, it serves it no more.
#[derive(Debug)]
pub struct Serving {
    organ: OrganId,
    service: Arc<Service>,
    full: bool,
    out: bool,
    served: Arc<Mutex<HashMap<OrganId, Arc<Service>>>>,
}

/// How a served mailbox stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whose.
    pub organ: OrganId,
    /// How many serve it.
    pub collectors: usize,
    /// How many of them can take nothing more before they settle.
    pub full: usize,
    /// How many of them bring deliveries to an endpoint that takes nothing.
    pub out: usize,
    /// Deliveries handed over and settlements taken since somebody began to serve it.
    pub moved: u64,
}

impl Look {
    /// Whether all who serve it bring deliveries to an endpoint that takes nothing.
    pub fn is_out(&self) -> bool {
        self.out == self.collectors
    }
}

impl Served {
    fn lock(&self) -> MutexGuard<'_, HashMap<OrganId, Arc<Service>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody begins to serve a mailbox.
    pub fn serve(&self, organ: &OrganId) -> Serving {
        let service = Arc::clone(self.lock().entry(organ.clone()).or_default());
        service.collectors.fetch_add(1, Ordering::Relaxed);
        Serving { organ: organ.clone(), service, full: false, out: false, served: Arc::clone(&self.0) }
    }

    /// How each of them stands, in no order.
    pub fn look(&self) -> Vec<Look> {
        let served = self.lock();
        let look = served.iter().map(|(organ, service)| Look {
            organ: organ.clone(),
            collectors: service.collectors.load(Ordering::Relaxed),
            full: service.full.load(Ordering::Relaxed),
            out: service.out.load(Ordering::Relaxed),
            moved: service.moved.load(Ordering::Relaxed),
        });
        look.collect()
    }
}

impl Serving {
    /// So many deliveries were handed over or settled.
    pub fn moved(&self, count: usize) {
        self.service.moved.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Whether it can take more.
    pub fn full(&mut self, full: bool) {
        if full != std::mem::replace(&mut self.full, full) {
            count(&self.service.full, full);
        }
    }

    /// Whether it brings deliveries to an endpoint that takes nothing.
    pub fn out(&mut self, out: bool) {
        if out != std::mem::replace(&mut self.out, out) {
            count(&self.service.out, out);
        }
    }
}

fn count(those: &AtomicUsize, one_more: bool) {
    match one_more {
        true => those.fetch_add(1, Ordering::Relaxed),
        false => those.fetch_sub(1, Ordering::Relaxed),
    };
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.full(false);
        self.out(false);
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if self.service.collectors.fetch_sub(1, Ordering::Relaxed) == 1 {
            served.remove(&self.organ);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_serves_is_counted_until_the_last_has_gone() {
        let served = Served::default();
        let organ = OrganId::parse("H49").unwrap();
        let mut first = served.serve(&organ);
        let second = served.serve(&organ);
        first.full(true);
        first.full(true);
        second.moved(3);
        let look = Look { organ, collectors: 2, full: 1, out: 0, moved: 3 };
        assert_eq!(served.look(), std::slice::from_ref(&look));
        drop(first);
        assert_eq!(served.look(), [Look { collectors: 1, full: 0, ..look }]);
        drop(second);
        assert!(served.look().is_empty());
    }
}
