//! The course of a dossier as its row holds it: 36 bytes a step, each number in little endian.

use crate::domain::dossier::{Course, DossierStatus, Fingerprint, Flags, Mark};
use crate::domain::limits::DOSSIER_STEPS_MAX;
use crate::domain::time::Timestamp;

/// The highest number shown in order.
const HEAD_BYTES: usize = 4;
/// Number 2, status 1 (0 where no map knows the code), flags 1, time 8, position 8 (0 while it is held), fingerprint.
const MARK_BYTES: usize = 20 + Fingerprint::BYTES;
// The number fits.
const _: () = assert!(DOSSIER_STEPS_MAX <= u16::MAX as u32);

/// Packs a course.
pub(super) fn pack(course: &Course) -> Vec<u8> {
    let marks = course.marks();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + marks.len() * MARK_BYTES);
    bytes.extend(course.shown().to_le_bytes());
    for mark in marks {
        let number = u16::try_from(mark.number).expect("no course has a step beyond the most there can be");
        bytes.extend(number.to_le_bytes());
        bytes.extend([mark.status.map_or(0, DossierStatus::number), mark.flags.bits()]);
        bytes.extend(mark.occurred_at.as_micros().to_le_bytes());
        bytes.extend(mark.position.unwrap_or(0).to_le_bytes());
        bytes.extend(mark.fingerprint.as_bytes());
    }
    bytes
}

/// Unpacks a course; nothing when the bytes are none this program writes.
pub(super) fn unpack(bytes: &[u8]) -> Option<Course> {
    if bytes.is_empty() {
        return Some(Course::default());
    }
    let (shown, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let (marks, []) = rest.as_chunks::<MARK_BYTES>() else { return None };
    let marks = marks.iter().map(|mark| unpack_mark(mark)).collect::<Option<_>>()?;
    Some(Course::of(marks, u32::from_le_bytes(*shown)))
}

fn unpack_mark(bytes: &[u8]) -> Option<Mark> {
    let (number, rest) = bytes.split_first_chunk()?;
    let ([status, flags], rest) = rest.split_first_chunk()?;
    let (occurred_at, rest) = rest.split_first_chunk()?;
    let (position, fingerprint) = rest.split_first_chunk()?;
    let status = match status {
        0 => None,
        number => Some(DossierStatus::from_number((*number).into())?),
    };
    Some(Mark {
        number: u16::from_le_bytes(*number).into(),
        status,
        occurred_at: Timestamp::from_micros(i64::from_le_bytes(*occurred_at)),
        fingerprint: Fingerprint::from_slice(fingerprint)?,
        flags: Flags::from_bits(*flags),
        position: Some(u64::from_le_bytes(*position)).filter(|position| *position != 0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::dossier::Offer;
    use crate::domain::message::Hash;

    #[test]
    fn what_is_packed_comes_back() {
        let mut course = Course::default();
        for number in [1, 2, 4] {
            let offer = Offer {
                number,
                status: (number != 2).then_some(DossierStatus::InProcess),
                occurred_at: Timestamp::from_micros(1_790_000_000_000_000 + i64::from(number)),
                fingerprint: Fingerprint::of(&Hash::of(&[number as u8])),
            };
            for shown in course.take(&offer).unwrap().shown {
                course.place(shown, u64::from(shown) + 9_000_000);
            }
        }
        let packed = pack(&course);
        assert_eq!(packed.len(), HEAD_BYTES + 3 * MARK_BYTES);
        assert_eq!(unpack(&packed), Some(course));
        assert_eq!(unpack(&[]), Some(Course::default()));
        assert_eq!(unpack(b"something else"), None);
    }
}
