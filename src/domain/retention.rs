//! How long payloads are kept: until a set time after the last delivery of their message has ended, and as long as an operator
//! holds them.

use std::fmt;

use super::message::MessageId;
use super::organ_id::OrganId;
use super::time::Timestamp;

/// The gateway's id for a hold. Rises in the order in which holds were set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(pub u64);

impl HoldId {
    /// Parses the contract's form, `h7`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('h')?;
        let canonical = digits == "0" || !digits.starts_with('0');
        if !canonical || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        u64::try_from(digits.parse::<i64>().ok()?).ok().map(Self)
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}", self.0)
    }
}

/// What a hold keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// One message.
    Message {
        /// Who sent it.
        sender: OrganId,
        /// The sender's id for it.
        message_id: MessageId,
    },
    /// All that an organ sent or receives, also what comes later.
    Organ(OrganId),
}

/// What is known of a message whose payload, or a file reported of it, is still kept.
#[derive(Clone, Debug)]
pub struct Kept<I> {
    /// Not removed sooner than a set time after this: when it was accepted, when it was last found open, or when a file came after
    /// the payload was removed.
    pub since: Timestamp,
    /// Whether the payload was removed before; then only files that came later are left.
    pub is_purged: bool,
    /// When each of its deliveries ended; none for one that has not.
    pub ends: I,
    /// A hold on it.
    pub hold: Option<HoldId>,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its time has come.
    Purge,
    /// Its time comes a set time after this.
    Since(Timestamp),
    /// It stays until the hold is released.
    Held(HoldId),
}

/// Decides at `at` about a message; it goes when its last delivery ended at `ended_until` or before.
///
/// One that is open at `at` cannot go sooner than the set time after that, so that looking again then loses nothing: nobody has to
/// tell when the last of many deliveries ends.
pub fn fate(
    kept: Kept<impl Iterator<Item = Option<Timestamp>>>,
    ended_until: Timestamp,
    at: Timestamp,
) -> Fate {
    let Kept { since, is_purged, mut ends, hold } = kept;
    if let Some(hold) = hold {
        return Fate::Held(hold);
    }
    let last = match is_purged {
        true => Some(since),
        false => ends.try_fold(Timestamp::from_micros(i64::MIN), |last, end| Some(last.max(end?))),
    };
    match last {
        Some(last) if last <= ended_until => Fate::Purge,
        Some(last) => Fate::Since(last),
        None => Fate::Since(at.max(since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn decided(ends: &[Option<i64>], hold: Option<HoldId>, is_purged: bool) -> Fate {
        let ends = ends.iter().map(|end| end.map(t));
        fate(Kept { since: t(50), is_purged, ends, hold }, t(100), t(200))
    }

    #[test]
    fn a_payload_goes_a_set_time_after_the_last_end() {
        assert_eq!(decided(&[Some(60), Some(100)], None, false), Fate::Purge);
        assert_eq!(decided(&[Some(60), Some(101)], None, false), Fate::Since(t(101)));
        assert_eq!(decided(&[Some(60), None], None, false), Fate::Since(t(200)), "it is open");
    }

    #[test]
    fn a_hold_stands_above_all_and_late_files_count_from_when_they_came() {
        assert_eq!(decided(&[Some(60)], Some(HoldId(7)), false), Fate::Held(HoldId(7)));
        assert_eq!(decided(&[Some(60)], Some(HoldId(7)), true), Fate::Held(HoldId(7)));
        let late = |since| {
            fate(Kept { since, is_purged: true, ends: std::iter::empty(), hold: None }, t(100), t(200))
        };
        assert_eq!((late(t(100)), late(t(150))), (Fate::Purge, Fate::Since(t(150))));
    }

    #[test]
    fn ids_are_written_in_one_way() {
        assert_eq!(HoldId::parse("h7"), Some(HoldId(7)));
        assert_eq!(HoldId::parse(&HoldId(12).to_string()), Some(HoldId(12)));
        for none in ["", "7", "h", "h07", "h-1", "d7", "h9223372036854775808"] {
            assert_eq!(HoldId::parse(none), None, "{none}");
        }
    }
}
