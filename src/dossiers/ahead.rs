//! Reading the log page by page: while one is being sent, the next is read.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::tail::{Shown, Tail};
use crate::ledger;

type Page = Result<Vec<Arc<Shown>>, ledger::Error>;

/// One who reads the log, with at most one page ahead of him.
pub struct Ahead {
    tail: Arc<Tail>,
    limit: usize,
    next: Option<(u64, AbortOnDropHandle<Page>)>,
}

impl Ahead {
    /// Reads pages of at most so many events.
    pub fn new(tail: Arc<Tail>, limit: usize) -> Self {
        Self { tail, limit, next: None }
    }

    /// The events after a position, in order.
    pub async fn after(&mut self, position: u64) -> Page {
        let page = match self.next.take() {
            Some((after, reading)) if after == position => {
                reading.await.unwrap_or(Err(ledger::Error::Closed))?
            }
            _ => self.tail.after(position, self.limit).await?,
        };
        if let Some(last) = page.last()
            && page.len() == self.limit
        {
            self.read(last.position);
        }
        Ok(page)
    }

    /// Begins to read what comes next, unless it is in memory or not there yet: what is read ahead is never empty.
    fn read(&mut self, after: u64) {
        if self.tail.is_past(after) {
            let (tail, limit) = (Arc::clone(&self.tail), self.limit);
            let reading = tokio::spawn(async move { tail.after(after, limit).await });
            self.next = Some((after, AbortOnDropHandle::new(reading)));
        }
    }
}
