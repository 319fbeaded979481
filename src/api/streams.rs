//! How many streams each organ has open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};

/// Counts open streams by organ.
#[derive(Debug)]
pub struct Streams {
    each_max: usize,
    open: Mutex<HashMap<OrganId, usize>>,
}

/// A stream that is open; dropped, it is closed.
#[derive(Debug)]
pub struct OpenStream {
    streams: Arc<Streams>,
    organ: OrganId,
}

impl Streams {
    /// Nobody has any yet.
    pub fn new(each_max: usize) -> Self {
        Self { each_max, open: Mutex::default() }
    }

    /// Opens one for an organ.
    pub fn open(self: &Arc<Self>, organ: &OrganId) -> Result<OpenStream, Refusal> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(organ.clone()).or_default();
        if *count >= self.each_max {
            return Err(Refusal::new(
                Reason::TooManyStreams,
                format!("{organ} has {count} streams open, as many as it may"),
            )
            .hint("use the streams there are, or close some")
            .fact("streams_max", self.each_max)
            .retry_after(Duration::from_secs(5)));
        }
        *count += 1;
        Ok(OpenStream { streams: Arc::clone(self), organ: organ.clone() })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.organ) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.organ);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_organ_has_its_own_and_gets_them_back() {
        let streams = Arc::new(Streams::new(2));
        let (g22, h49) = (OrganId::parse("G22").unwrap(), OrganId::parse("H49").unwrap());
        let first = streams.open(&g22).unwrap();
        let _second = streams.open(&g22).unwrap();
        assert_eq!(streams.open(&g22).unwrap_err().reason(), Reason::TooManyStreams);
        let _other = streams.open(&h49).unwrap();
        drop(first);
        assert!(streams.open(&g22).is_ok());
    }
}
