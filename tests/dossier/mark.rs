//! A step in a journal, in one word: what a publisher was told of it, or what a subscriber was shown.

use std::fmt;
use std::str::FromStr;

use prost::Message;
use sha2::{Digest, Sha256};
use truc::proto::v1::{self, StepFlag};

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The dossier's code in the normal form.
    pub code: String,
    pub step: u32,
    /// Of its content.
    pub digest: u64,
    /// Its place in the log; 0 where its publisher was told that it is held.
    pub position: u64,
    pub is_late: bool,
    /// The first of the numbers missing before it; 0 without a gap.
    pub missing_from: u32,
    /// The publisher was told that it had published it before.
    pub is_repeated: bool,
}

/// What stands for the content of a step.
pub fn digest(step: &v1::DossierStep) -> u64 {
    let hash = Sha256::digest(step.encode_to_vec());
    u64::from_be_bytes(*hash.first_chunk().expect("a hash is longer"))
}

impl Mark {
    /// What a subscriber is shown.
    pub fn shown(event: &v1::DossierEvent) -> Self {
        let step = event.step.as_ref().expect("each event has its step");
        let has = |wanted| event.flags().any(|flag| flag == wanted);
        assert_eq!(has(StepFlag::AfterGap), event.missing_from > 0, "{event:?}");
        Self {
            code: event.dossier_code.clone(),
            step: step.step,
            digest: digest(step),
            position: event.position,
            is_late: has(StepFlag::Late),
            missing_from: event.missing_from,
            is_repeated: false,
        }
    }

    /// What a publisher is told of what it has sent.
    pub fn told(sent: &v1::DossierStep, result: &v1::PublishResult) -> Self {
        assert_eq!(sent.step, result.step, "results come in the order of the steps: {result:?}");
        Self {
            code: result.dossier_code.clone(),
            step: result.step,
            digest: digest(sent),
            position: result.position,
            is_late: result.flags().any(|flag| flag == StepFlag::Late),
            missing_from: 0,
            is_repeated: result.repeated_step,
        }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, step, digest, position, is_late, missing_from, is_repeated } = self;
        let bits = u8::from(*is_late) | u8::from(*is_repeated) << 1;
        write!(f, "{code}/{step}/{digest:x}/{position}/{bits}/{missing_from}")
    }
}

/// The word is none.
#[derive(Debug)]
pub struct NoMark;

impl FromStr for Mark {
    type Err = NoMark;

    fn from_str(word: &str) -> Result<Self, NoMark> {
        let mut parts = word.split('/');
        let mut part = || parts.next().ok_or(NoMark);
        let number = |text: &str| text.parse::<u64>().map_err(|_| NoMark);
        let small = |text: &str| text.parse::<u32>().map_err(|_| NoMark);
        let (code, step) = (part()?.to_owned(), small(part()?)?);
        let digest = u64::from_str_radix(part()?, 16).map_err(|_| NoMark)?;
        let (position, bits, missing_from) = (number(part()?)?, small(part()?)?, small(part()?)?);
        let (is_late, is_repeated) = (bits & 1 != 0, bits & 2 != 0);
        Ok(Self { code, step, digest, position, is_late, missing_from, is_repeated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = Mark {
            code: "H49.12-20260105-0000001".into(),
            step: 3,
            digest: 0xfeed,
            position: 77,
            is_late: true,
            missing_from: 0,
            is_repeated: false,
        };
        assert_eq!(mark.to_string().parse::<Mark>().unwrap(), mark);
        let other = Mark { is_late: false, is_repeated: true, missing_from: 2, ..mark };
        assert_eq!(other.to_string().parse::<Mark>().unwrap(), other);
        assert!("H49/1/x".parse::<Mark>().is_err());
    }
}
