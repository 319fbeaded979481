//! By what the same step is known on both sides of an exchange. How it is made is part of the contract (`docs/compare.md`): a program in any
//! language makes the same one of what it has published or was shown.

use std::fmt;

use super::super::message::Hash;
use super::super::time::Timestamp;
use super::Step;

/// Says that what follows is a step, in this way of writing it.
const FORM: &str = "truc.step.v1";

impl Step {
    /// By what a repeat of it is known. Made of what was published: an own code counts, not what it is translated to, so that a map that
    /// learns a code does not make a conflict of a repeat.
    pub fn fingerprint(&self) -> Fingerprint {
        let micros = |time: Option<Timestamp>| time.map_or_else(String::new, |t| t.as_micros().to_string());
        let (status, set, code) = match (self.status.own(), self.status.known()) {
            (Some(own), _) => (String::new(), own.set.as_str(), own.code.as_str()),
            (None, known) => (known.map_or_else(String::new, |status| status.number().to_string()), "", ""),
        };
        let number = self.number.to_string();
        let times = [Some(self.occurred_at), self.due_at, self.started_at].map(micros);
        let texts = [
            FORM,
            self.dossier.as_str(),
            &number,
            self.procedure.as_str(),
            &status,
            set,
            code,
            &self.actor.name,
            &self.actor.position,
            &self.actor.department,
            &times[0],
            &times[1],
            &times[2],
            &self.note,
        ];
        let links = self.documents.iter().flat_map(|link| [link.sender.as_str(), link.message_id.as_str()]);
        Fingerprint::of(&Hash::of_parts(texts.into_iter().chain(links).map(str::as_bytes)))
    }
}

/// The first half of a SHA-256 of a step's content: enough to know a repeat, since who could make two contents meet is their author.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; Self::BYTES]);

impl Fingerprint {
    /// How long it is.
    pub const BYTES: usize = 16;

    /// Of a whole hash.
    pub fn of(hash: &Hash) -> Self {
        let mut half = [0; Self::BYTES];
        half.copy_from_slice(&hash.as_bytes()[..Self::BYTES]);
        Self(half)
    }

    /// From its bytes; nothing when they are not as many.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
