//! The numbers that stand for states, kinds, causes, lanes and holds in the tables of every store. Never renumbered.

use super::changes::Carries;
use crate::domain::change::{Answer, Effect};
use crate::domain::delivery::{Hold, State};
use crate::domain::message::Lane;
use crate::domain::receipt::{Cause, ReceiptKind};
use crate::domain::status::{Request, StatusCode};

/// A value of a closed set, as its column holds it.
pub(super) trait Coded: Copy {
    /// Its number.
    fn code(self) -> i16;
    /// The value a number stands for.
    fn of(code: i64) -> Option<Self>;
}

macro_rules! codes {
    ($($type:ident { $($name:ident = $code:literal,)* })*) => {$(
        impl Coded for $type {
            fn code(self) -> i16 {
                match self { $($type::$name => $code,)* }
            }

            fn of(code: i64) -> Option<Self> {
                match code {
                    $($code => Some($type::$name),)*
                    _ => None,
                }
            }
        }
    )*};
}

// Lanes are served in the order of their numbers: statements sort by them.
codes! {
    State {
        Queued = 0, InFlight = 1, Waiting = 2, Delivered = 3, Rejected = 4, Expired = 5, Cancelled = 6, Dead = 7,
        Redirected = 8,
    }
    Lane { TimedExpress = 0, Express = 1, VeryUrgent = 2, Urgent = 3, Normal = 4, }
    Hold { Stream = 0, Fetch = 1, Queue = 2, }
    ReceiptKind {
        Accepted = 1, Redirected = 2, Offered = 3, Deferred = 4, Delivered = 5, Rejected = 6, Expired = 7,
        Cancelled = 8, Dead = 9, Status = 10, Requested = 11, Lapsed = 12, Purged = 14, Held = 15, Released = 16,
        Replayed = 17, Overdue = 18,
    }
    Cause {
        RecipientDeferred = 1, LeaseExpired = 2, Disconnected = 3, GatewayRestarted = 4, AttemptsExhausted = 5,
        QueueRefused = 6, RecipientClosed = 7, Discarded = 20,
        PushUnreachable = 10, PushTimedOut = 11, PushFailed = 12, PushRefused = 13, PushLinkRefused = 14,
    }
    StatusCode {
        Arrived = 1, Refused = 2, Accepted = 3, Assigned = 4, InProcess = 5, Done = 6, RecallAsked = 13,
        ChangeAgreed = 15, ChangeRefused = 16,
    }
    Request { Recall = 1, Update = 2, Replacement = 3, }
    Effect { Cancelled = 1, Asked = 2, Nothing = 3, }
    Answer { Agreed = 1, Refused = 2, Lapsed = 3, }
    Carries { Message = 0, Requests = 1, Notice = 2, }
}

/// A number from outside as a column can be compared with it: the largest there is stands for all beyond, which are
/// nobody's.
pub(super) fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A limit, likewise.
pub(super) fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
