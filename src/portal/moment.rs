//! Times as the portal writes them: `yyyyMMddHHmmss` in Vietnam's time, +07:00.

use prost_types::Timestamp;
use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

const FORM: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day][hour][minute][second]");
const VIETNAM: UtcOffset = offset!(+7);

/// Reads a time; nothing where it is none.
pub(super) fn read(text: &str) -> Option<Timestamp> {
    let at = PrimitiveDateTime::parse(text, FORM).ok()?.assume_offset(VIETNAM);
    Some(Timestamp { seconds: at.unix_timestamp(), nanos: 0 })
}

/// Writes a time; nothing where there is none. Parts of a second are left out.
pub(super) fn write(time: Option<&Timestamp>) -> String {
    let at = time.and_then(|time| OffsetDateTime::from_unix_timestamp(time.seconds).ok());
    at.and_then(|at| at.to_offset(VIETNAM).format(FORM).ok()).unwrap_or_default()
}
