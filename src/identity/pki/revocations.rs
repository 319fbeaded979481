//! The list of what a CA has revoked: a text file, one `SERIAL TIME` a line, that a person can read and mend.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::Error;
use crate::domain::time::Timestamp;
use crate::identity::certificate::serial_text;
use crate::identity::files;

/// Longest serial number, bytes (RFC 5280).
const SERIAL_BYTES_MAX: usize = 20;

/// What is revoked and since when, in the order it was.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Revocations(Vec<(Vec<u8>, Timestamp)>);

impl Revocations {
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("revoked.txt")
    }

    pub(super) fn read(dir: &Path) -> Result<Self, Error> {
        let path = Self::path(dir);
        let text = String::from_utf8_lossy(&files::read(&path)?).into_owned();
        let mut revoked = Self::default();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (serial, time) =
                parse_line(line).ok_or(Error::BadRevocation { path: path.clone(), line: at + 1 })?;
            revoked.add(&serial, time);
        }
        Ok(revoked)
    }

    /// Adds a serial number, unless it is there.
    pub(super) fn add(&mut self, serial: &[u8], at: Timestamp) {
        let serial = without_leading_zeros(serial);
        if !self.0.iter().any(|(known, _)| known == serial) {
            self.0.push((serial.to_vec(), at));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Timestamp)> {
        self.0.iter().map(|(serial, at)| (serial.as_slice(), *at))
    }

    pub(super) fn to_text(&self) -> String {
        self.iter().map(|(serial, at)| format!("{} {}\n", serial_text(serial), time_text(at))).collect()
    }
}

/// Reads a serial number: hexadecimal, with or without colons.
pub(super) fn parse_serial(text: &str) -> Result<Vec<u8>, Error> {
    let bad = || Error::BadSerial(text.to_owned());
    let digits: Vec<u32> =
        text.chars().filter(|c| *c != ':').map(|c| c.to_digit(16)).collect::<Option<_>>().ok_or_else(bad)?;
    let padded: Vec<u32> = std::iter::repeat_n(0, digits.len() % 2).chain(digits).collect();
    let bytes: Vec<u8> =
        padded.chunks(2).map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap_or(0)).collect();
    let serial = without_leading_zeros(&bytes);
    match (1..=SERIAL_BYTES_MAX).contains(&serial.len()) {
        true => Ok(serial.to_vec()),
        false => Err(bad()),
    }
}

fn without_leading_zeros(serial: &[u8]) -> &[u8] {
    let first = serial.iter().position(|b| *b != 0).unwrap_or(serial.len());
    &serial[first..]
}

fn parse_line(line: &str) -> Option<(Vec<u8>, Timestamp)> {
    let (serial, time) = line.trim().split_once(' ')?;
    let at = OffsetDateTime::parse(time.trim(), &Rfc3339).ok()?;
    Some((parse_serial(serial).ok()?, Timestamp::from_micros(at.unix_timestamp().checked_mul(1_000_000)?)))
}

fn time_text(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp(at.as_micros().div_euclid(1_000_000))
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_read_as_openssl_and_we_write_them() {
        assert_eq!(parse_serial("8a01").unwrap(), [0x8a, 0x01]);
        assert_eq!(parse_serial("00:8A:01").unwrap(), [0x8a, 0x01]);
        assert_eq!(parse_serial("a01").unwrap(), [0x0a, 0x01]);
        for wrong in ["", "0", "00", "xyz", "8a 01", &"11".repeat(21)] {
            assert!(matches!(parse_serial(wrong), Err(Error::BadSerial(_))), "{wrong}");
        }
    }

    #[test]
    fn the_list_survives_its_file_and_keeps_the_first_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut revoked = Revocations::default();
        let day = |n: i64| Timestamp::from_micros(n * 86_400_000_000);
        revoked.add(&[0, 0x8a, 1], day(20_000));
        revoked.add(&[0x8a, 1], day(20_001));
        revoked.add(&[7], day(20_002));
        std::fs::write(Revocations::path(dir.path()), format!("\n{}", revoked.to_text())).unwrap();
        assert_eq!(revoked.to_text(), "8a01 2024-10-04T00:00:00Z\n07 2024-10-06T00:00:00Z\n");
        assert_eq!(Revocations::read(dir.path()).unwrap(), revoked);

        std::fs::write(Revocations::path(dir.path()), "8a01 2024-10-04T00:00:00Z\n8a02\n").unwrap();
        assert!(matches!(Revocations::read(dir.path()), Err(Error::BadRevocation { line: 2, .. })));
    }
}
