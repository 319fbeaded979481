//! `[duty]`: the duty to acknowledge a document on the working day it came.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{self, Flaw};
use super::duration;

/// What counts as acknowledging.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AcknowledgedBy {
    /// Settled as delivered or rejected, or any status reported.
    Delivery,
    /// Registered or refused.
    Registration,
}

/// Working days, and what is owed on them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Duty {
    /// CSV files of holidays. None means those the program carries.
    pub holidays: Vec<PathBuf>,
    /// When a working day ends, Vietnam time.
    pub day_end: String,
    /// What counts as acknowledging.
    pub acknowledged_by: AcknowledgedBy,
    /// From the end of the day until it is looked who was late.
    #[serde(with = "duration")]
    pub grace: Duration,
}

impl Duty {
    pub(super) fn check(&self) -> Result<(), Flaw> {
        self.holidays.iter().try_for_each(|file| check::path("duty.holidays", file))?;
        let flaw =
            || Flaw::new("duty.day_end", format!("{:?} is not an hour", self.day_end), "write it as 17:00");
        self.day_end_s().map(drop).ok_or_else(flaw)?;
        check::time("duty.grace", self.grace, Duration::from_secs(1)..=Duration::from_secs(3_600))
    }

    /// Seconds from midnight to the end of a working day; none when it is not written as one.
    pub fn day_end_s(&self) -> Option<u32> {
        let mut parts = self.day_end.split(':').map(|part| {
            let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
            part.parse::<u32>().ok().filter(|_| digits)
        });
        let (hour, minute) = (parts.next()??, parts.next()??);
        let second = parts.next().unwrap_or(Some(0))?;
        let of_day = parts.next().is_none() && hour < 24 && minute < 60 && second < 60;
        (of_day && (hour, minute, second) != (0, 0, 0)).then_some(hour * 3_600 + minute * 60 + second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_written_with_two_digits_each() {
        let seconds = |text: &str| {
            let day_end = text.to_owned();
            let (acknowledged_by, grace) = (AcknowledgedBy::Delivery, Duration::ZERO);
            Duty { holidays: Vec::new(), day_end, acknowledged_by, grace }.day_end_s()
        };
        assert_eq!(seconds("17:00"), Some(61_200));
        assert_eq!(seconds("16:30:05"), Some(59_405));
        for wrong in
            ["", "17", "5:00", "24:00", "00:00", "17:60", "17:00:60", "17:00:00:00", "+7:00", "17:0x"]
        {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
