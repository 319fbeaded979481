//! Holidays and the days that are worked in their place, from CSV files: `date,kind,name,source`.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use time::Date;
use time::format_description::well_known::Iso8601;

use crate::domain::calendar::{Calendar, Day};

/// Those the program carries.
const CARRIED: (&str, &str) =
    ("config/holidays/vietnam.csv", include_str!("../../config/holidays/vietnam.csv"));
/// Days one set of files may name: some 250 years.
const DAYS_MAX: usize = 10_000;
/// 1 January 1970 in Julian days.
const EPOCH_JULIAN_DAY: i32 = 2_440_588;

/// Why there are no working days.
#[derive(Debug, thiserror::Error)]
pub enum HolidaysError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {cause}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A line is not what it should be.
    #[error("{}:{line}: {why}; the columns are date,kind,name,source, a date is 2026-02-17, a kind is off or working", .file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        why: String,
    },
    /// More days than anybody needs.
    #[error("{}: more than {DAYS_MAX} days", .file.display())]
    TooMany {
        /// The file that is too much.
        file: PathBuf,
    },
}

#[derive(Deserialize)]
struct Row {
    date: String,
    kind: Kind,
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "source")]
    _source: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Off,
    Working,
}

/// The working days of these files, a later one over an earlier one; without any, those the program carries. They end so many seconds after
/// midnight.
pub fn read(files: &[PathBuf], day_end_s: u32) -> Result<Calendar, HolidaysError> {
    let mut days = Vec::new();
    if files.is_empty() {
        days.extend(parse(Path::new(CARRIED.0), CARRIED.1)?);
    }
    for file in files {
        let unreadable = |cause| HolidaysError::Unreadable { file: file.clone(), cause };
        days.extend(parse(file, &std::fs::read_to_string(file).map_err(unreadable)?)?);
        if days.len() > DAYS_MAX {
            return Err(HolidaysError::TooMany { file: file.clone() });
        }
    }
    Ok(Calendar::new(day_end_s, days))
}

fn parse(file: &Path, text: &str) -> Result<Vec<(Day, bool)>, HolidaysError> {
    let flaw = |line, why: String| HolidaysError::Line { file: file.to_owned(), line, why };
    let mut days = Vec::new();
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    for row in reader.deserialize::<Row>() {
        let row =
            row.map_err(|error| flaw(error.position().map_or(1, csv::Position::line), error.to_string()))?;
        let date = Date::parse(&row.date, &Iso8601::DATE);
        let line = days.len() as u64 + 2;
        let date = date.map_err(|_| flaw(line, format!("{:?} is not a date", row.date)))?;
        days.push((Day(date.to_julian_day() - EPOCH_JULIAN_DAY), matches!(row.kind, Kind::Working)));
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn day(date: Date) -> Day {
        Day(date.to_julian_day() - EPOCH_JULIAN_DAY)
    }

    #[test]
    fn the_days_the_program_carries() {
        let calendar = read(&[], 17 * 3_600).unwrap();
        for off in [
            date!(2025 - 01 - 01),
            date!(2025 - 01 - 29),
            date!(2025 - 05 - 02),
            date!(2025 - 09 - 02),
            date!(2026 - 02 - 17),
            date!(2026 - 04 - 27),
            date!(2026 - 08 - 31),
            date!(2026 - 11 - 22),
        ] {
            assert!(!calendar.is_worked(day(off)), "{off}");
        }
        for worked in [
            date!(2025 - 04 - 26),
            date!(2026 - 01 - 10),
            date!(2026 - 08 - 22),
            date!(2026 - 02 - 23),
            date!(2026 - 11 - 23),
        ] {
            assert!(calendar.is_worked(day(worked)), "{worked}");
        }
        // Each entry says something the week does not: no holiday on a weekend, no make-up day within the week.
        for (day, worked) in parse(Path::new(CARRIED.0), CARRIED.1).unwrap() {
            assert_ne!(Calendar::new(0, []).is_worked(day), worked, "{day:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_file_and_line() {
        let wrong = |text: &str| parse(Path::new("days.csv"), text).unwrap_err().to_string();
        let head = "date,kind,name,source\n";
        assert!(
            wrong(&format!("{head}2026-02-17,off,Tết,x\n17/02/2026,off,Tết,x\n"))
                .starts_with("days.csv:3: \"17/02/2026\" is not")
        );
        assert!(wrong(&format!("{head}2026-02-17,free,Tết,x\n")).starts_with("days.csv:2: "));
        assert!(wrong("day,kind\n2026-02-17,off\n").starts_with("days.csv:"));
        assert!(
            read(&[PathBuf::from("/nowhere.csv")], 0)
                .unwrap_err()
                .to_string()
                .starts_with("/nowhere.csv: cannot")
        );
    }
}
