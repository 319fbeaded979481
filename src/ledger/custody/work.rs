//! What a writer is asked of this, and what became of it; the same in every store.

use super::{Hold, HoldError, HoldRequest, PurgeAnswers, PurgeRequest, ReleaseRequest};
use crate::domain::organ_id::OrganId;
use crate::domain::retention::Held;
use crate::ledger::Error;
use crate::ledger::writer_thread::Answer;

/// What a writer is asked.
#[derive(Debug)]
pub(in crate::ledger) enum Work {
    Purge(Vec<PurgeRequest>, Answer<PurgeAnswers>),
    Hold(HoldRequest, Answer<Result<Hold, HoldError>>),
    /// With the sender of the one message the hold keeps, where it is known to the caller.
    Release(ReleaseRequest, Option<OrganId>, Answer<Result<Hold, HoldError>>),
    LetGo(usize, Answer<u64>),
}

/// What became of it.
#[derive(Debug)]
pub(in crate::ledger) enum Worked {
    Purged(PurgeAnswers),
    Hold(Result<Hold, HoldError>),
    LetGo(u64),
}

impl Work {
    /// How many changes it is.
    pub fn operations(&self) -> usize {
        match self {
            Self::Purge(batch, _) => batch.len(),
            Self::Hold(..) | Self::Release(..) => 1,
            Self::LetGo(limit, _) => *limit,
        }
    }

    /// The organs it names.
    pub fn organs(&self) -> Vec<&OrganId> {
        match self {
            Self::Purge(batch, _) => batch.iter().map(|request| &request.sender).collect(),
            Self::Hold(
                HoldRequest { held: Held::Message { sender: organ, .. } | Held::Organ(organ), .. },
                _,
            ) => {
                vec![organ]
            }
            Self::Release(_, sender, _) => sender.iter().collect(),
            Self::LetGo(..) => Vec::new(),
        }
    }

    /// The operator who decides.
    pub fn operator(&self) -> Option<&str> {
        match self {
            Self::Hold(request, _) => Some(&request.by),
            Self::Release(request, ..) => Some(&request.by),
            Self::Purge(..) | Self::LetGo(..) => None,
        }
    }

    /// Answers; the answer is of the kind that was asked for.
    pub fn answer(self, worked: Worked) {
        // Whoever asked may have gone; then nobody is told.
        let _gone = match (self, worked) {
            (Self::Purge(_, answer), Worked::Purged(purged)) => answer.send(Ok(purged)).is_err(),
            (Self::Hold(_, answer) | Self::Release(.., answer), Worked::Hold(hold)) => {
                answer.send(Ok(hold)).is_err()
            }
            (Self::LetGo(_, answer), Worked::LetGo(count)) => answer.send(Ok(count)).is_err(),
            _ => unreachable!("what is asked is answered by what it came to"),
        };
    }

    /// Nothing of it was done, or nobody knows.
    pub fn fail(self, error: Error) {
        let _gone = match self {
            Self::Purge(_, answer) => answer.send(Err(error)).is_err(),
            Self::Hold(_, answer) | Self::Release(.., answer) => answer.send(Err(error)).is_err(),
            Self::LetGo(_, answer) => answer.send(Err(error)).is_err(),
        };
    }
}
