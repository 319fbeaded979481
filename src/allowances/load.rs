//! Reads the rows of a file of limits.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use csv::StringRecord;

use super::{Allowance, Error, Pattern, Rate, Why};
use crate::domain::limits::{PAYLOAD_BYTES_CEILING, WINDOW_MAX};

/// The columns of a file, all of them, in this order.
pub(super) const COLUMNS: [&str; 8] = [
    "organ_id",
    "rate_per_s",
    "rate_burst",
    "payload_bytes_max",
    "mailbox_deliveries_max",
    "window_max",
    "document_types",
    "senders",
];

/// Adds the rows of one file.
pub(super) fn read(file: &str, text: &str, into: &mut HashMap<Pattern, Allowance>) -> Result<(), Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut csv =
        csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_reader(text.as_bytes());
    let at = |line: u64, why| Error { file: file.to_owned(), line, why };
    let header = csv.headers().map_err(|error| at(1, Why::NotCsv(error.to_string())))?;
    if !header.iter().eq(COLUMNS) {
        return Err(at(1, Why::BadColumns));
    }
    for record in csv.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            at(line, Why::NotCsv(error.to_string()))
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        let (pattern, allowance) = row(&record).map_err(|why| at(line, why))?;
        let name = pattern.to_string();
        if into.insert(pattern, allowance).is_some() {
            return Err(at(line, Why::Repeated(name)));
        }
    }
    Ok(())
}

fn row(record: &StringRecord) -> Result<(Pattern, Allowance), Why> {
    let text = |at: usize| record.get(at).unwrap_or_default();
    let pattern = |text: &str| Pattern::parse(text).ok_or_else(|| Why::BadOrgan(text.to_owned()));
    let rate = match (number(record, 1, 1..=1_000_000)?, number(record, 2, 1..=1_000_000)?) {
        (None, None) => None,
        (Some(per_s), Some(burst)) => Some(Rate { per_s: small(per_s), burst: small(burst) }),
        _ => return Err(Why::HalfARate),
    };
    let parts = |at: usize| text(at).split(';').map(str::trim).filter(|part| !part.is_empty());
    let allowance = Allowance {
        rate,
        payload_bytes_max: number(record, 3, 1..=PAYLOAD_BYTES_CEILING as u64)?,
        mailbox_deliveries_max: number(record, 4, 1..=1_000_000_000)?,
        window_max: number(record, 5, 1..=u64::from(WINDOW_MAX))?.map(|window| small(window).get()),
        document_types: parts(6).map(|part| part.to_lowercase().into()).collect(),
        senders: parts(7).map(pattern).collect::<Result<_, _>>()?,
    };
    Ok((pattern(text(0))?, allowance))
}

fn number(record: &StringRecord, at: usize, bounds: RangeInclusive<u64>) -> Result<Option<u64>, Why> {
    match record.get(at).unwrap_or_default() {
        "" => Ok(None),
        text => {
            let number = text.parse().ok().filter(|number| bounds.contains(number));
            number.map(Some).ok_or_else(|| Why::BadNumber(COLUMNS[at].to_owned(), text.to_owned()))
        }
    }
}

/// A number whose bounds were checked.
fn small(number: u64) -> NonZeroU32 {
    u32::try_from(number).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}
