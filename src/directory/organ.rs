//! One organ of the directory, and the day that decides whether it is open.

use std::sync::Arc;

use time::Date;

use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;

/// A body with an organ id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organ {
    /// The id.
    pub id: OrganId,
    /// The official name, in Vietnamese, NFC; until [`Organ::rename`] takes effect.
    pub name: Box<str>,
    /// The name it bears from a day on.
    pub rename: Option<Box<Rename>>,
    /// The day from which the id is valid, where recorded.
    pub open_date: Option<Date>,
    /// The day from which the id is closed.
    pub close_date: Option<Date>,
    /// The organs that took over, all of them in the same directory.
    pub successors: Box<[OrganId]>,
    /// The one of them that is named to handle what was for this organ.
    pub default_successor: Option<OrganId>,
    /// The legal act behind the present state; may be empty.
    pub legal_basis: Arc<str>,
    /// `Some(true)`: its certificate may act for the organs below it. `Some(false)`: neither it nor an organ above it
    /// may. `None`: it has no rule of its own.
    pub acts_for_below: Option<bool>,
    /// Other organs whose certificates may speak for it for some time.
    pub certificates: Box<[Binding]>,
    /// How its system is attached.
    pub link: Link,
}

/// A change of name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// The first day of the new name.
    pub from: Date,
    /// The new name, NFC.
    pub name: Box<str>,
}

/// The certificates of one organ speak for another for some time: after a merger, until new ones are issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Whose certificates.
    pub organ: OrganId,
    /// From this day on.
    pub from: Date,
    /// Until the day before this one.
    pub until: Date,
}

/// How an organ's system is attached to the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// It calls over gRPC.
    #[default]
    Grpc,
    /// It publishes to and consumes from RabbitMQ; its deliveries are protobuf.
    Amqp,
    /// The same; its deliveries are proto-JSON.
    AmqpJson,
}

impl Link {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Grpc, Self::Amqp, Self::AmqpJson];

    /// The text in directory files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Amqp => "amqp",
            Self::AmqpJson => "amqp-json",
        }
    }

    /// True when its system is attached to RabbitMQ.
    pub fn is_amqp(self) -> bool {
        match self {
            Self::Grpc => false,
            Self::Amqp | Self::AmqpJson => true,
        }
    }
}

impl Organ {
    /// Whether documents can go to it on that day of Vietnam time.
    pub fn is_open_on(&self, day: Date) -> bool {
        self.open_date.is_none_or(|open| open <= day) && !self.is_closed_on(day)
    }

    /// What it is called on that day of Vietnam time.
    pub fn name_on(&self, day: Date) -> &str {
        self.rename.as_ref().filter(|rename| rename.from <= day).map_or(&self.name, |rename| &rename.name)
    }

    /// Whether its id is closed on that day of Vietnam time.
    pub fn is_closed_on(&self, day: Date) -> bool {
        self.close_date.is_some_and(|close| close <= day)
    }
}

/// The day it is in Vietnam (UTC+7) at a point in time.
pub fn vietnam_day(at: Timestamp) -> Date {
    const MICROS_PER_HOUR: i64 = 3_600_000_000;
    const EPOCH_JULIAN_DAY: i64 = 2_440_588;
    let days = at.as_micros().saturating_add(7 * MICROS_PER_HOUR).div_euclid(24 * MICROS_PER_HOUR);
    let end = if days < 0 { Date::MIN } else { Date::MAX };
    i32::try_from(EPOCH_JULIAN_DAY + days).ok().and_then(|day| Date::from_julian_day(day).ok()).unwrap_or(end)
}

/// A point in time as Vietnam writes it, whole seconds: `2026-02-17T17:00:00+07:00`.
pub fn vietnam_time(at: Timestamp) -> String {
    const OFFSET_S: i64 = 7 * 3_600;
    let second = (at.as_micros().div_euclid(1_000_000)).saturating_add(OFFSET_S).rem_euclid(86_400);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}+07:00", vietnam_day(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    #[test]
    fn the_day_changes_at_17_utc() {
        let at = |moment: time::OffsetDateTime| {
            vietnam_day(Timestamp::from_micros((moment.unix_timestamp_nanos() / 1_000) as i64))
        };
        assert_eq!(at(datetime!(1970-01-01 00:00 UTC)), date!(1970 - 01 - 01));
        assert_eq!(at(datetime!(2025-06-30 16:59:59.999999 UTC)), date!(2025 - 06 - 30));
        assert_eq!(at(datetime!(2025-06-30 17:00 UTC)), date!(2025 - 07 - 01));
        assert_eq!(at(datetime!(1969-12-31 16:59:59 UTC)), date!(1969 - 12 - 31));
        assert_eq!(vietnam_day(Timestamp::from_micros(i64::MAX)), Date::MAX);
        assert_eq!(vietnam_day(Timestamp::from_micros(i64::MIN)), Date::MIN);
    }
}
