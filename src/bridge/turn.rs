//! Whose turn it is to forward something: one node's at a time, kept in the ledger, for as long as it goes on.

use std::sync::Arc;
use std::time::Duration;

use crate::delivery::Dispatch;
use crate::domain::time::Timestamp;
use crate::ledger;

/// A node's word over one thing that is forwarded in order.
pub struct Turn {
    dispatch: Arc<Dispatch>,
    mark: String,
    term: Term,
    until: Option<u64>,
}

/// How long a node has the word.
#[derive(Clone, Copy, Debug)]
pub struct Term {
    /// From when it is taken.
    pub long: Duration,
    /// It is taken anew when less than this is left of it.
    pub left_min: Duration,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// This node's, without a break.
    Kept,
    /// This node's, from now on; another may have had it before.
    Anew,
    /// Another's, for so long.
    Elsewhere(Duration),
}

impl Turn {
    /// Nobody's yet. Nodes that name the same mark take turns.
    pub fn new(dispatch: Arc<Dispatch>, mark: String, term: Term) -> Self {
        Self { dispatch, mark, term, until: None }
    }

    /// Takes the word, or keeps it, unless another node has it.
    pub async fn take(&mut self) -> Result<Word, ledger::Error> {
        let now = self.dispatch.clock.now();
        let enough = micros(now.plus(self.term.left_min));
        if self.until.is_some_and(|until| until > enough) {
            return Ok(Word::Kept);
        }
        let until = self.dispatch.ledger.mark(&self.mark).await?;
        let is_ours = self.until == Some(until);
        if until > micros(now) && !is_ours {
            self.until = None;
            return Ok(Word::Elsewhere(Duration::from_micros(until - micros(now)).min(self.term.long)));
        }
        // A chance of its own, so that no two nodes write the same number.
        let next = micros(now.plus(self.term.long)) + fastrand::u64(0..1_000_000);
        let taken = self.dispatch.ledger.advance_mark(&self.mark, until, next).await?.await?;
        self.until = taken.then_some(next);
        Ok(match (taken, is_ours) {
            (true, true) => Word::Kept,
            (true, false) => Word::Anew,
            (false, _) => Word::Elsewhere(Duration::ZERO),
        })
    }

    /// Gives the word back before its end, so that another node need not wait for it.
    pub async fn give_back(&mut self) {
        let Some(until) = self.until.take() else { return };
        let now = micros(self.dispatch.clock.now());
        if now >= until {
            return;
        }
        // Not given back, it ends by itself.
        if let Ok(pending) = self.dispatch.ledger.advance_mark(&self.mark, until, now).await {
            let _failed = pending.await.is_err();
        }
    }
}

fn micros(time: Timestamp) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or_default()
}
