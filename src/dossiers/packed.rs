//! The course of a dossier as its row holds it: some forty bytes a step.

use prost::Message;

use crate::domain::dossier::{Course, DossierStatus, Fingerprint, Flags, Mark};
use crate::domain::time::Timestamp;

#[derive(Clone, PartialEq, Message)]
struct PackedCourse {
    #[prost(uint32, tag = "1")]
    shown: u32,
    #[prost(message, repeated, tag = "2")]
    marks: Vec<PackedMark>,
}

#[derive(Clone, PartialEq, Message)]
struct PackedMark {
    #[prost(uint32, tag = "1")]
    number: u32,
    /// 0 where it is a code no map knows.
    #[prost(uint32, tag = "2")]
    status: u32,
    #[prost(int64, tag = "3")]
    occurred_at_us: i64,
    #[prost(bytes = "vec", tag = "4")]
    fingerprint: Vec<u8>,
    #[prost(uint32, tag = "5")]
    flags: u32,
    /// 0 while it is held.
    #[prost(uint64, tag = "6")]
    position: u64,
}

/// Packs a course.
pub(super) fn pack(course: &Course) -> Vec<u8> {
    let marks = course.marks().iter().map(|mark| PackedMark {
        number: mark.number,
        status: mark.status.map_or(0, |status| status.number().into()),
        occurred_at_us: mark.occurred_at.as_micros(),
        fingerprint: mark.fingerprint.as_bytes().to_vec(),
        flags: mark.flags.bits().into(),
        position: mark.position.unwrap_or(0),
    });
    PackedCourse { shown: course.shown(), marks: marks.collect() }.encode_to_vec()
}

/// Unpacks a course; nothing when the bytes are none this program writes.
pub(super) fn unpack(bytes: &[u8]) -> Option<Course> {
    let packed = PackedCourse::decode(bytes).ok()?;
    let marks = packed.marks.into_iter().map(|mark| {
        let status = match mark.status {
            0 => None,
            number => Some(DossierStatus::from_number(number)?),
        };
        Some(Mark {
            number: mark.number,
            status,
            occurred_at: Timestamp::from_micros(mark.occurred_at_us),
            fingerprint: Fingerprint::from_slice(&mark.fingerprint)?,
            flags: Flags::from_bits(u8::try_from(mark.flags).ok()?),
            position: Some(mark.position).filter(|position| *position != 0),
        })
    });
    Some(Course::of(marks.collect::<Option<_>>()?, packed.shown))
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
        assert!(packed.len() < 150, "{}", packed.len());
        assert_eq!(unpack(&packed), Some(course));
        assert_eq!(unpack(&[]), Some(Course::default()));
        assert_eq!(unpack(b"something else"), None);
    }
}
