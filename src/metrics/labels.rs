//! The closed sets of values that labels have.

use crate::domain::receipt::ReceiptKind;
use crate::domain::refusal::Reason;
use crate::domain::status::StatusCode;

use super::handles::Label;

macro_rules! labels {
    ($($(#[$meta:meta])* $label:ident, $key:literal { $($(#[$value_meta:meta])* $value:ident = $text:literal,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $label {
            $($(#[$value_meta])* $value,)*
        }

        impl Label for $label {
            const KEY: &'static str = $key;
            const ALL: &'static [Self] = &[$(Self::$value),*];

            fn index(self) -> usize {
                self as usize
            }

            fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)* }
            }
        }
    )*};
}

labels! {
    /// What a submission was answered.
    SubmitResult, "result" {
        /// Accepted now.
        Accepted = "accepted",
        /// Accepted before; the original receipt again.
        Repeated = "repeated",
        /// Refused.
        Refused = "refused",
    }

    /// What a step of a dossier was answered.
    StepResult, "result" {
        /// Taken, and visible.
        Shown = "shown",
        /// Taken, and held.
        Held = "held",
        /// Taken before.
        Repeated = "repeated",
        /// Refused.
        Refused = "refused",
    }

    /// What is peculiar about a step of a dossier.
    StepPeculiarity, "peculiarity" {
        /// Its status does not usually follow the one before.
        Unusual = "unusual",
        /// It came after later ones had been shown.
        Late = "late",
        /// Its code is in no map.
        Unmapped = "unmapped",
        /// It came about before the step before it.
        TimeBack = "time_back",
    }

    /// The state of a delivery that has not ended.
    OpenState, "state" {
        /// Ready to be offered.
        Queued = "queued",
        /// Held by a collector.
        InFlight = "in_flight",
        /// To be offered at a later time.
        Waiting = "waiting",
        /// Cannot go on by itself.
        Dead = "dead",
    }

    /// What a recipient said of a delivery.
    SettlementOutcome, "outcome" {
        /// Taken over.
        Delivered = "delivered",
        /// Refused for good.
        Rejected = "rejected",
        /// Later, please.
        Deferred = "deferred",
    }

    /// Why a message from the broker was parked.
    ParkCause, "cause" {
        /// It names no user.
        NoUser = "no_user",
        /// Its user is no organ.
        ForeignUser = "foreign_user",
        /// Its user is an organ that is not attached by AMQP.
        NotAttached = "not_attached",
        /// The gateway's own user published it, and not as a replay.
        OwnUser = "own_user",
        /// Neither of the content types that are understood.
        ContentType = "content_type",
        /// Another message than belongs there.
        Type = "type",
        /// Larger than is read.
        TooLarge = "too_large",
        /// Not what its content type says.
        Malformed = "malformed",
    }

    /// Why nothing moves in a mailbox.
    StallReason, "reason" {
        /// All who serve it hold as much as they may, and do not settle.
        CollectorsFull = "collectors_full",
        /// The broker cannot be reached.
        BrokerAway = "broker_away",
        /// The broker does not hand over what the ledger has ready.
        NotHandedOver = "not_handed_over",
        /// An agency attached by AMQP reads its queue, and neither takes nor settles anything.
        AgencyStill = "agency_still",
        /// The endpoint that is to be brought what is in it takes nothing.
        LinkOut = "link_out",
    }

    /// What came of bringing a delivery to an endpoint.
    PushOutcome, "outcome" {
        /// Taken over.
        Delivered = "delivered",
        /// Refused for good, by the recipient.
        Rejected = "rejected",
        /// Later, please.
        Deferred = "deferred",
        /// The endpoint will never take it, without saying why as a recipient.
        Refused = "refused",
        /// No answer in time.
        TimedOut = "timed_out",
        /// The endpoint failed with it.
        Failed = "failed",
        /// The endpoint cannot be reached, or takes nothing now.
        Unreachable = "unreachable",
        /// The endpoint is not who it should be, or takes nothing from this gateway.
        LinkRefused = "link_refused",
    }

    /// How a push link does.
    LinkState, "state" {
        /// Its endpoint takes what it is brought.
        Up = "up",
        /// Its endpoint takes nothing at present.
        Out = "out",
        /// Its organ wants nothing brought.
        Paused = "paused",
    }

    /// How a TLS handshake ended.
    HandshakeResult, "result" {
        /// With a connection.
        Accepted = "accepted",
        /// The client showed no certificate.
        Missing = "missing",
        /// The certificate is not valid at this time.
        Expired = "expired",
        /// The certificate is on a revocation list.
        Revoked = "revoked",
        /// No authority the gateway trusts issued the certificate.
        Unknown = "unknown",
        /// Not finished in time.
        Timeout = "timeout",
        /// As many connections are open as may be.
        TooMany = "too_many",
        /// Anything else: not TLS, no common version, a broken connection.
        Failed = "failed",
    }
}

impl StallReason {
    /// Those of mailboxes that collectors of this node serve.
    pub const OF_COLLECTORS: [Self; 4] =
        [Self::CollectorsFull, Self::BrokerAway, Self::NotHandedOver, Self::LinkOut];

    /// In words, for the log.
    pub fn why(self) -> &'static str {
        match self {
            Self::CollectorsFull => "those who serve it hold full windows and do not settle",
            Self::BrokerAway => "the broker cannot be reached",
            Self::NotHandedOver => "the broker does not hand over what is ready",
            Self::AgencyStill => "the agency neither takes nor settles anything",
            Self::LinkOut => "the endpoint it is brought to takes nothing",
        }
    }
}

impl Label for StatusCode {
    const KEY: &'static str = "status";
    const ALL: &'static [Self] = &Self::ALL;

    fn index(self) -> usize {
        self as usize
    }

    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }
}

impl Label for ReceiptKind {
    const KEY: &'static str = "kind";
    const ALL: &'static [Self] = &Self::ALL;

    fn index(self) -> usize {
        self as usize
    }

    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }
}

impl Label for Reason {
    const KEY: &'static str = "reason";
    const ALL: &'static [Self] = Self::ALL;

    fn index(self) -> usize {
        self as usize
    }

    fn as_str(self) -> &'static str {
        Self::as_str(self)
    }
}

/// The one version this program has.
#[derive(Clone, Copy, Debug)]
pub struct Version;

impl Label for Version {
    const KEY: &'static str = "version";
    const ALL: &'static [Self] = &[Self];

    fn index(self) -> usize {
        0
    }

    fn as_str(self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }
}
