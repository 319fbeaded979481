//! Dossiers: what is told of the work on a citizen's dossier, step by step. A step, once published, never changes; what is known of one
//! dossier's steps and which further ones are possible is its [`Course`].

mod code;
mod course;
mod status;

use std::fmt;

pub use code::{DossierCode, ParseDossierCodeError, ParseProcedureCodeError, ProcedureCode};
pub use course::{Course, Mark, Offer, StepRefused, Taken};
pub use status::DossierStatus;

use super::message::{Hash, MessageId};
use super::organ_id::OrganId;
use super::time::Timestamp;

/// The status of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepStatus {
    /// One of the portal's ten.
    Known(DossierStatus),
    /// A code of the publisher's system that the code map translates.
    Mapped(OwnCode, DossierStatus),
    /// A code of the publisher's system that no map knows.
    Unmapped(OwnCode),
}

/// A code of a publisher's own system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OwnCode {
    /// Which set of codes it is from, as the code map calls it.
    pub set: String,
    /// The code.
    pub code: String,
}

impl StepStatus {
    /// The portal's status, where it is known.
    pub fn known(&self) -> Option<DossierStatus> {
        match self {
            Self::Known(status) | Self::Mapped(_, status) => Some(*status),
            Self::Unmapped(_) => None,
        }
    }

    /// The publisher's own code, where it gave one.
    pub fn own(&self) -> Option<&OwnCode> {
        match self {
            Self::Known(_) => None,
            Self::Mapped(own, _) | Self::Unmapped(own) => Some(own),
        }
    }
}

/// Who worked on the dossier; what was not given is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// The clerk's name (`NguoiXuLy`).
    pub name: String,
    /// The clerk's position (`ChucDanh`).
    pub position: String,
    /// The department (`PhongBanXuLy`).
    pub department: String,
}

/// A document of the exchange that belongs to a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentLink {
    /// Who sent it.
    pub sender: OrganId,
    /// The sender's id of the message that carried it.
    pub message_id: MessageId,
}

/// One step of one dossier, as its owner states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The dossier.
    pub dossier: DossierCode,
    /// The administrative procedure (`MaTTHC`).
    pub procedure: ProcedureCode,
    /// Its number among the steps of the dossier: 1, 2, 3, ...
    pub number: u32,
    /// The status the dossier has by it.
    pub status: StepStatus,
    /// Who acted.
    pub actor: Actor,
    /// When it came about, by the publisher's clock.
    pub occurred_at: Timestamp,
    /// When the work of this step began.
    pub started_at: Option<Timestamp>,
    /// When the dossier is to be done.
    pub due_at: Option<Timestamp>,
    /// What was done (`NoiDungXuLy`).
    pub note: String,
    /// The documents it refers to.
    pub documents: Vec<DocumentLink>,
}

impl Step {
    /// By what a repeat of it is known. Made of what was published: an own code counts, not what it is translated to, so that a map that
    /// learns a code does not make a conflict of a repeat.
    pub fn fingerprint(&self) -> Fingerprint {
        let micros = |time: Option<Timestamp>| time.map_or(i64::MIN, Timestamp::as_micros).to_be_bytes();
        let number = self.number.to_be_bytes();
        let (set, code, status) = match (self.status.own(), self.status.known()) {
            (Some(own), _) => (own.set.as_bytes(), own.code.as_bytes(), [0]),
            (None, known) => (&b""[..], &b""[..], [known.map_or(0, DossierStatus::number)]),
        };
        let times = [Some(self.occurred_at), self.started_at, self.due_at].map(micros).concat();
        let mut parts: Vec<&[u8]> = vec![
            self.dossier.as_str().as_bytes(),
            self.procedure.as_str().as_bytes(),
            &number,
            set,
            code,
            &status,
            self.actor.name.as_bytes(),
            self.actor.position.as_bytes(),
            self.actor.department.as_bytes(),
            &times,
            self.note.as_bytes(),
        ];
        for link in &self.documents {
            parts.extend([link.sender.as_str().as_bytes(), link.message_id.as_str().as_bytes()]);
        }
        Fingerprint::of(&Hash::of_parts(parts))
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

/// What is peculiar about a step that was taken. Subscribers see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    /// Its status does not usually follow that of the step before.
    pub const UNUSUAL: Self = Self(1);
    /// Steps before it had not come when it was shown: there is a gap right before it.
    pub const AFTER_GAP: Self = Self(2);
    /// It came after subscribers had been shown later steps: it fills a gap they know of.
    pub const LATE: Self = Self(4);
    /// Its status is a code of the publisher's own that no map knows.
    pub const UNMAPPED: Self = Self(8);
    /// It came about before the step before it, by the publisher's clock.
    pub const TIME_BACK: Self = Self(16);

    /// All of them.
    pub const ALL: [Self; 5] = [Self::UNUSUAL, Self::AFTER_GAP, Self::LATE, Self::UNMAPPED, Self::TIME_BACK];

    /// From what [`Flags::bits`] gave; unknown ones are left out.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & 31)
    }

    /// As a number.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of these are among them.
    pub fn has(self, these: Self) -> bool {
        self.0 & these.0 == these.0
    }

    /// Those and these.
    pub fn with(self, these: Self) -> Self {
        Self(self.0 | these.0)
    }

    /// These where `yes`, else none.
    pub fn when(yes: bool, these: Self) -> Self {
        if yes { these } else { Self::default() }
    }
}

#[cfg(test)]
mod tests;
