//! What can be wrong with a reform, and what to do about it.

use time::Date;

use super::Kind;
use crate::directory;
use crate::domain::organ_id::OrganId;

/// Why a reform cannot be applied. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Error {
    #[error("{file}: cannot be read: {why}")]
    Unreadable { file: String, why: String },
    #[error("{file}: {why}")]
    Malformed { file: String, why: String },
    #[error("{file}, change {change} ({}): {why}", kind.as_str())]
    Change { file: String, change: usize, kind: Kind, why: Why },
    #[error("the directory afterwards: {0}")]
    Directory(#[from] directory::Error),
}

/// What is wrong with one change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the texts say it")]
pub enum Why {
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` is not a day; write YYYY-MM-DD")]
    BadDay(String),
    #[error("{0} is not in the directory; open it in an earlier change, or correct the id")]
    UnknownOrgan(OrganId),
    #[error("{0} is in the directory already; an id is never given twice")]
    AlreadyThere(OrganId),
    #[error("{0} is closed already, or will be; correct who took over with `do = \"successor\"`")]
    AlreadyClosed(OrganId),
    #[error("{0} is not closed; use `do = \"merge\"`, `\"split\"` or `\"close\"`")]
    NotClosed(OrganId),
    #[error("{0} would close before it has been open for a day")]
    NotOpenYet(OrganId),
    #[error("it will be renamed on {0} already; change that first")]
    LaterRename(Date),
    #[error("{0} organs in `into`; a merger has one, use `do = \"split\"` for several")]
    OneInto(usize),
    #[error("{0} organs in `into`; a split has two or more, use `do = \"merge\"` for one")]
    SeveralInto(usize),
    #[error("{0} organs take over; name fewer")]
    TooManySuccessors(usize),
    #[error("the handler {0} is none of `into`")]
    HandlerNotNamed(OrganId),
    #[error("`until` is not later than `on`")]
    UntilNotLater,
}
