//! Dates and times as senders write them.

use time::macros::offset;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

const VIETNAM: UtcOffset = offset!(+7);

/// A date written yyyy/MM/dd, yyyy-MM-dd or dd/MM/yyyy; nothing when it is none. With a time of day and an offset after
/// it, the date it was in Vietnam then.
pub(super) fn date(text: &str) -> Option<Date> {
    match split(text) {
        (day, None) => calendar_date(day),
        _ => moment(text)?.checked_to_offset(VIETNAM).map(OffsetDateTime::date),
    }
}

/// A point in time: a date, a space or `T`, a time of day; +07:00 where no offset is written.
pub(super) fn moment(text: &str) -> Option<OffsetDateTime> {
    let (day, clock) = split(text);
    let (time, offset) = time_of_day(clock?)?;
    Some(PrimitiveDateTime::new(calendar_date(day)?, time).assume_offset(offset))
}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once([' ', 'T']) {
        Some((day, clock)) => (day, Some(clock.trim_start())),
        None => (text, None),
    }
}

fn calendar_date(text: &str) -> Option<Date> {
    let separator = if text.contains('/') { '/' } else { '-' };
    let mut parts = text.split(separator);
    let (first, month, last) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (year, day) = match (first.len(), separator) {
        (4, _) => (first, last),
        (_, '/') => (last, first),
        _ => return None,
    };
    let month = Month::try_from(number::<2>(month)? as u8).ok()?;
    Date::from_calendar_date(i32::from(number::<4>(year)?), month, number::<2>(day)? as u8).ok()
}

/// `HH:mm`, `HH:mm:ss` or with a fraction, then nothing, `Z` or `+HH:mm`.
fn time_of_day(text: &str) -> Option<(Time, UtcOffset)> {
    let (clock, offset) = match text.find(['Z', '+', '-']) {
        None => (text, VIETNAM),
        Some(at) => (&text[..at], written_offset(&text[at..])?),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanosecond = format!("{fraction:0<9}").parse().ok()?;
    let mut parts = clock.split(':');
    let (hour, minute) = (number::<2>(parts.next()?)?, number::<2>(parts.next()?)?);
    let second = parts.next().map_or(Some(0), number::<2>)?;
    if parts.next().is_some() {
        return None;
    }
    let time = Time::from_hms_nano(hour as u8, minute as u8, second as u8, nanosecond).ok()?;
    Some((time, offset))
}

fn written_offset(text: &str) -> Option<UtcOffset> {
    if text == "Z" {
        return Some(UtcOffset::UTC);
    }
    let (hours, minutes) = text[1..].split_once(':')?;
    let (hours, minutes) = (number::<2>(hours)? as i8, number::<2>(minutes)? as i8);
    match text.as_bytes()[0] {
        b'-' => UtcOffset::from_hms(-hours, -minutes, 0).ok(),
        _ => UtcOffset::from_hms(hours, minutes, 0).ok(),
    }
}

/// A number of exactly that many digits, at most four.
fn number<const DIGITS: usize>(text: &str) -> Option<u16> {
    (text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date as day, datetime};

    #[test]
    fn three_forms_of_a_date() {
        for (text, expected) in [
            ("2019/01/16", Some(day!(2019 - 01 - 16))),
            ("2019-01-16", Some(day!(2019 - 01 - 16))),
            ("16/01/2019", Some(day!(2019 - 01 - 16))),
            ("2024/02/29", Some(day!(2024 - 02 - 29))),
            ("2019-01-16T08:30:00.000Z", Some(day!(2019 - 01 - 16))),
            ("2019/01/16 08:30:00", Some(day!(2019 - 01 - 16))),
            ("2019-01-15T17:00:00.000Z", Some(day!(2019 - 01 - 16))),
            ("9999-12-31T23:00:00Z", None),
            ("2014/02/30", None),
            ("2023/02/29", None),
            ("31/04/2023", None),
            ("2019/13/01", None),
            ("2019/00/10", None),
            ("01/16/2019", None),
            ("16-01-2019", None),
            ("2019/1/16", None),
            ("20190116", None),
            ("2019/01/16/01", None),
            ("2019/01/16 later", None),
            ("+019/01/16", None),
            ("２０１９/01/16", None),
            ("", None),
        ] {
            assert_eq!(date(text), expected, "{text}");
        }
    }

    #[test]
    fn moments_are_vietnamese_unless_they_say_otherwise() {
        for (text, expected) in [
            ("2015/09/20 11:08:36", Some(datetime!(2015-09-20 11:08:36 +7))),
            ("20/09/2015 11:08", Some(datetime!(2015-09-20 11:08 +7))),
            ("2015-09-20T11:08:36Z", Some(datetime!(2015-09-20 11:08:36 UTC))),
            ("2015-09-20T11:08:36.250+07:00", Some(datetime!(2015-09-20 11:08:36.25 +7))),
            ("2015-09-20T11:08:36-03:30", Some(datetime!(2015-09-20 11:08:36 -3:30))),
            ("2015/09/20 24:00:00", None),
            ("2015/09/20 11:60:00", None),
            ("2015/09/20 11:08:36.x", None),
            ("2015/09/20 11:08:36+", None),
            ("2015/09/20 11:08:36+99:99", None),
            ("2015/09/20 ", None),
            ("2015/09/20", None),
            ("2015/02/30 11:08:36", None),
        ] {
            assert_eq!(moment(text), expected, "{text}");
        }
    }
}
