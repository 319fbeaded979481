//! Dossiers: what is told of the work on a citizen's dossier, step by step. A step, once published, never changes; what is known of one
//! dossier's steps and which further ones are possible is its [`Course`].

mod code;
mod course;
mod digest;
mod digests;
mod fingerprint;
mod status;

pub use code::{DossierCode, ParseDossierCodeError, ParseProcedureCodeError, ProcedureCode};
pub use course::{Course, Mark, Offer, StepRefused, Taken};
pub use digest::{DossierDigest, Node, ParseNodeError, Sum};
pub use digests::{Digests, Found};
pub use fingerprint::Fingerprint;
pub use status::DossierStatus;

use super::message::MessageId;
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
