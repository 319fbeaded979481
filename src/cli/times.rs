//! Moments and days as people in Vietnam read them.

use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime};

use crate::directory::vietnam_day;
use crate::domain::time::{Clock, SystemClock, Timestamp};
use crate::proto::convert;

/// Today in Vietnam.
pub fn today() -> Date {
    vietnam_day(SystemClock.now())
}

/// `2026-07-02 08:15:30.123`, Vietnam time; empty when there is no time.
pub fn short(time: Option<&prost_types::Timestamp>) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]");
    vietnam(time).and_then(|at| at.format(form).ok()).unwrap_or_default()
}

/// `2026-07-02T08:15:30.123456+07:00`; nothing when there is no time.
pub fn exact(time: Option<&prost_types::Timestamp>) -> Option<String> {
    vietnam(time)?.format(&Rfc3339).ok()
}

/// A moment of the domain as the contract writes it.
pub fn written(at: Timestamp) -> prost_types::Timestamp {
    convert::timestamp(at)
}

/// A moment as ISO 8601 writes it, with its offset.
pub fn parse(text: &str) -> Result<prost_types::Timestamp, String> {
    let hint = || "write a time as 2026-01-31T09:30:00+07:00".to_owned();
    let micros = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| hint())?.unix_timestamp_nanos() / 1_000;
    Ok(written(Timestamp::from_micros(i64::try_from(micros).map_err(|_| hint())?)))
}

fn vietnam(time: Option<&prost_types::Timestamp>) -> Option<OffsetDateTime> {
    let at = convert::time_of(time?)?;
    let utc = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_micros()) * 1_000).ok()?;
    utc.checked_to_offset(offset!(+7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_in_vietnam_time() {
        let at = Some(prost_types::Timestamp { seconds: 1_751_389_199, nanos: 987_654_000 });
        assert_eq!(short(at.as_ref()), "2025-07-01 23:59:59.987");
        assert_eq!(exact(at.as_ref()).unwrap(), "2025-07-01T23:59:59.987654+07:00");
        let read = parse("2025-07-01T23:59:59.987654+07:00");
        assert_eq!(read.ok(), at);
        assert!(parse("2025-07-01").is_err());
        assert_eq!((short(None), exact(None)), (String::new(), None));
    }
}
