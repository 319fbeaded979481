//! Rows, read cell by cell, as values of the domain.

use bytes::Bytes;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::fault::Fault;
use crate::domain::delivery::{DeliveryId, Progress};
use crate::domain::duty::Duty;
use crate::domain::message::{Hash, MessageId};
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::ledger::MessageKey;
use crate::ledger::codes::Coded;

/// The number of an organ in the tables.
pub(crate) type OrganRef = i64;

/// The cells of one row, from the first on.
pub(crate) struct Cells<'a> {
    row: &'a Row,
    next: usize,
}

impl<'a> Cells<'a> {
    /// From the first on.
    pub fn of(row: &'a Row) -> Self {
        Self { row, next: 0 }
    }

    /// A value as it stands.
    pub fn plain<T: FromSql<'a>>(&mut self) -> Result<T, Fault> {
        let value = self.row.try_get(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// A number that is never negative.
    pub fn number(&mut self) -> Result<u64, Fault> {
        u64::try_from(self.plain::<i64>()?).map_err(|_| Fault::Invalid("number"))
    }

    /// A small number, likewise.
    pub fn small(&mut self) -> Result<u32, Fault> {
        u32::try_from(self.plain::<i64>()?).map_err(|_| Fault::Invalid("number"))
    }

    pub fn key(&mut self) -> Result<MessageKey, Fault> {
        self.number().map(MessageKey)
    }

    pub fn delivery(&mut self) -> Result<DeliveryId, Fault> {
        self.number().map(DeliveryId)
    }

    pub fn time(&mut self) -> Result<Timestamp, Fault> {
        self.plain().map(Timestamp::from_micros)
    }

    pub fn time_if_any(&mut self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.plain::<Option<i64>>()?.map(Timestamp::from_micros))
    }

    pub(super) fn code<T: Coded>(&mut self) -> Result<T, Fault> {
        T::of(self.plain::<i16>()?.into()).ok_or(Fault::Invalid("code"))
    }

    pub(super) fn code_if_any<T: Coded>(&mut self) -> Result<Option<T>, Fault> {
        let code: Option<i16> = self.plain()?;
        code.map(|code| T::of(code.into()).ok_or(Fault::Invalid("code"))).transpose()
    }

    pub fn hash(&mut self) -> Result<Hash, Fault> {
        Hash::from_slice(self.plain()?).ok_or(Fault::Invalid("hash"))
    }

    pub fn bytes(&mut self) -> Result<Bytes, Fault> {
        self.plain::<&[u8]>().map(Bytes::copy_from_slice)
    }

    pub fn organ(&mut self) -> Result<OrganId, Fault> {
        OrganId::parse(self.plain()?).map_err(|_| Fault::Invalid("organ id"))
    }

    pub fn organ_if_any(&mut self) -> Result<Option<OrganId>, Fault> {
        let text: Option<&str> = self.plain()?;
        text.map(OrganId::parse).transpose().map_err(|_| Fault::Invalid("organ id"))
    }

    pub fn message_id(&mut self) -> Result<MessageId, Fault> {
        MessageId::parse(self.plain()?).map_err(|_| Fault::Invalid("message id"))
    }

    /// Until when it is to be acknowledged, when it was, when it was noted that it was not.
    pub fn duty(&mut self) -> Result<Duty, Fault> {
        let (acknowledge_by, acknowledged_at) = (self.time()?, self.time_if_any()?);
        Ok(Duty { acknowledge_by, acknowledged_at, overdue_at: self.time_if_any()? })
    }

    /// State, attempt, hold, due time, expiry, spared attempts, those of which nothing was sent.
    pub fn progress(&mut self) -> Result<Progress, Fault> {
        Ok(Progress {
            state: self.code()?,
            attempt: self.small()?,
            hold: self.code_if_any()?,
            due_at: self.time_if_any()?,
            expires_at: self.time()?,
            spared: self.small()?,
            unsent: self.small()?,
        })
    }
}
