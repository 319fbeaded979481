//! Working days as Vietnam has them, and when a document has to be acknowledged: on the working day it came (NĐ 30/2020/NĐ-CP, Art. 21;
//! QĐ 28/2018/QĐ-TTg).

use std::collections::BTreeMap;

use super::time::Timestamp;

/// Vietnam's offset from UTC, +07:00, in microseconds.
const OFFSET: i64 = 7 * 3_600_000_000;
/// A day.
const DAY: i64 = 24 * 3_600_000_000;
/// The longest row of days without work that is looked over; no real calendar has one.
const LOOKED_OVER: i64 = 366;

/// A day in Vietnam, counted from 1 January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Day {
    /// The day it is in Vietnam.
    pub fn of(at: Timestamp) -> Self {
        let days = at.as_micros().saturating_add(OFFSET).div_euclid(DAY);
        Self(i32::try_from(days).unwrap_or(if days < 0 { i32::MIN } else { i32::MAX }))
    }

    /// So many days later, or earlier.
    pub fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    fn is_weekend(self) -> bool {
        // The first day was a Thursday.
        (i64::from(self.0) + 3).rem_euclid(7) >= 5
    }
}

/// The working days, and the hour they end. Days no file speaks of are worked from Monday to Friday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    // Microseconds from midnight.
    day_end: i64,
    // True for a day worked against the week, false for one that is not.
    exceptions: BTreeMap<Day, bool>,
}

impl Calendar {
    /// Working days end so many seconds after midnight, at most a whole day; `exceptions` are the days that are worked against
    /// the week, or not worked against it.
    pub fn new(day_end_s: u32, exceptions: impl IntoIterator<Item = (Day, bool)>) -> Self {
        let day_end = (i64::from(day_end_s) * 1_000_000).min(DAY);
        Self { day_end, exceptions: exceptions.into_iter().collect() }
    }

    /// Whether a day is worked.
    pub fn is_worked(&self, day: Day) -> bool {
        self.exceptions.get(&day).copied().unwrap_or(!day.is_weekend())
    }

    fn end_of(&self, day: Day) -> Timestamp {
        Timestamp::from_micros(
            i64::from(day.0).saturating_mul(DAY).saturating_sub(OFFSET).saturating_add(self.day_end),
        )
    }

    /// The end of the working day on which a document accepted then has to be acknowledged: the same day's, or of the next one where
    /// that day is not worked or its work has ended.
    pub fn acknowledge_by(&self, accepted_at: Timestamp) -> Timestamp {
        self.next_end(accepted_at)
    }

    /// The first end of a working day after a moment.
    pub fn next_end(&self, after: Timestamp) -> Timestamp {
        let today = Day::of(after);
        let days = (0..=LOOKED_OVER).map(|n| today.plus(n as i32));
        let mut ends = days.filter(|day| self.is_worked(*day)).map(|day| self.end_of(day));
        ends.find(|end| *end > after).unwrap_or_else(|| self.end_of(today.plus(1)))
    }

    /// The last end of a working day up to a moment.
    pub fn last_end(&self, until: Timestamp) -> Timestamp {
        let today = Day::of(until);
        let days = (0..=LOOKED_OVER).map(|n| today.plus(-(n as i32)));
        let mut ends = days.filter(|day| self.is_worked(*day)).map(|day| self.end_of(day));
        ends.find(|end| *end <= until).unwrap_or_else(|| self.end_of(today.plus(-1)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;

    fn at(time: OffsetDateTime) -> Timestamp {
        Timestamp::from_micros((time.unix_timestamp_nanos() / 1_000) as i64)
    }

    fn day(time: OffsetDateTime) -> Day {
        Day::of(at(time))
    }

    /// Until 17:00; 30 April and 1 May 2025 off, 2 May too and worked on Saturday 26 April in its place.
    fn spring() -> Calendar {
        let off =
            [datetime!(2025-04-30 12:00 +7), datetime!(2025-05-01 12:00 +7), datetime!(2025-05-02 12:00 +7)];
        let exceptions = off.map(|off| (day(off), false)).into_iter();
        Calendar::new(17 * 3_600, exceptions.chain([(day(datetime!(2025-04-26 12:00 +7)), true)]))
    }

    #[test]
    fn the_same_working_day_or_the_next() {
        let calendar = spring();
        for (accepted, by) in [
            // Monday, before the offices open, at work, at its very end, after it.
            (datetime!(2025-04-21 00:00 +7), datetime!(2025-04-21 17:00 +7)),
            (datetime!(2025-04-21 06:30 +7), datetime!(2025-04-21 17:00 +7)),
            (datetime!(2025-04-21 16:59:59 +7), datetime!(2025-04-21 17:00 +7)),
            (datetime!(2025-04-21 17:00 +7), datetime!(2025-04-22 17:00 +7)),
            (datetime!(2025-04-21 23:59 +7), datetime!(2025-04-22 17:00 +7)),
            // Friday evening: Saturday is worked this week. Saturday evening: Monday.
            (datetime!(2025-04-25 18:00 +7), datetime!(2025-04-26 17:00 +7)),
            (datetime!(2025-04-26 18:00 +7), datetime!(2025-04-28 17:00 +7)),
            // Before the holidays, and in them: Monday after the weekend.
            (datetime!(2025-04-29 17:01 +7), datetime!(2025-05-05 17:00 +7)),
            (datetime!(2025-05-01 09:00 +7), datetime!(2025-05-05 17:00 +7)),
            (datetime!(2025-05-03 09:00 +7), datetime!(2025-05-05 17:00 +7)),
            // The day is Vietnam's, not UTC's.
            (datetime!(2025-04-21 23:30 +0), datetime!(2025-04-22 17:00 +7)),
        ] {
            assert_eq!(calendar.acknowledge_by(at(accepted)), at(by), "{accepted}");
        }
        assert_eq!(calendar.last_end(at(datetime!(2025-05-04 09:00 +7))), at(datetime!(2025-04-29 17:00 +7)));
        assert_eq!(calendar.last_end(at(datetime!(2025-04-29 17:00 +7))), at(datetime!(2025-04-29 17:00 +7)));
    }

    #[test]
    fn a_calendar_without_any_work_has_ends_all_the_same() {
        let never = Calendar::new(0, (-400..800).map(|n| (Day(n), false)));
        let noon = at(datetime!(1970-01-20 12:00 +7));
        assert!(never.next_end(noon) > noon && never.last_end(noon) <= noon);
        for edge in [i64::MIN, i64::MAX] {
            // Nothing overflows.
            let _end = never.next_end(Timestamp::from_micros(edge));
            let _end = never.last_end(Timestamp::from_micros(edge));
        }
    }

    proptest! {
        /// Ends follow each other without a gap, each on a day that is worked; and the duty of a moment is the first end after it.
        #[test]
        fn ends_are_of_working_days_and_in_order(
            seconds in 0i64..4_000_000_000,
            day_end_s in 1u32..86_400,
            exceptions in proptest::collection::btree_map(0i32..46_000, any::<bool>(), 0..200),
        ) {
            let calendar = Calendar::new(day_end_s, exceptions.into_iter().map(|(day, worked)| (Day(day), worked)));
            let now = Timestamp::from_micros(seconds * 1_000_000);
            let (last, next) = (calendar.last_end(now), calendar.next_end(now));
            prop_assert!(last <= now && now < next);
            prop_assert_eq!(calendar.acknowledge_by(now), next);
            prop_assert_eq!(calendar.next_end(last), next);
            prop_assert_eq!(calendar.last_end(next), next);
            for end in [last, next] {
                prop_assert!(calendar.is_worked(Day::of(end)));
            }
            for between in Day::of(last).0 + 1..Day::of(next).0 {
                prop_assert!(!calendar.is_worked(Day(between)));
            }
        }
    }
}
