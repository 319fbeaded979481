//! The numbers that stand for states, kinds, causes, lanes and holds in the tables. Never renumbered.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use crate::domain::delivery::{Hold, State};
use crate::domain::message::{Hash, Lane};
use crate::domain::receipt::{Cause, ReceiptKind};
use crate::domain::time::Timestamp;

/// A value of the domain as its column holds it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Code<T>(pub T);

macro_rules! codes {
    ($($type:ident { $($name:ident = $code:literal,)* })*) => {$(
        impl ToSql for Code<$type> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                let code: i64 = match self.0 { $($type::$name => $code,)* };
                Ok(code.into())
            }
        }

        impl FromSql for Code<$type> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_i64()? {
                    $($code => Ok(Self($type::$name)),)*
                    other => Err(FromSqlError::OutOfRange(other)),
                }
            }
        }
    )*};
}

codes! {
    State {
        Queued = 0, InFlight = 1, Waiting = 2, Delivered = 3, Rejected = 4, Expired = 5, Cancelled = 6, Dead = 7,
    }
    Lane { Urgent = 0, Normal = 1, }
    Hold { Stream = 0, Fetch = 1, Queue = 2, }
    ReceiptKind {
        Accepted = 1, Redirected = 2, Offered = 3, Deferred = 4, Delivered = 5, Rejected = 6, Expired = 7,
        Cancelled = 8, Dead = 9,
    }
    Cause {
        RecipientDeferred = 1, LeaseExpired = 2, Disconnected = 3, GatewayRestarted = 4, AttemptsExhausted = 5,
        QueueRefused = 6,
    }
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

impl ToSql for Code<Timestamp> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_micros().into())
    }
}

impl FromSql for Code<Timestamp> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(|micros| Self(Timestamp::from_micros(micros)))
    }
}

impl ToSql for Code<Hash> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.as_bytes().as_slice().into())
    }
}

impl FromSql for Code<Hash> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        Hash::from_slice(bytes)
            .map(Self)
            .ok_or(FromSqlError::InvalidBlobSize { expected_size: 32, blob_size: bytes.len() })
    }
}
