//! Push links: where an organ wants its mail brought to, and how that place does.

use std::time::Duration;

use super::message::Hash;
use super::organ_id::OrganId;
use super::receipt::Cause;
use super::time::Timestamp;

/// Whom the certificate at the other end must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// An organ, in a certificate of an authority the gateway trusts.
    Organ(OrganId),
    /// Whoever holds the certificate with this SHA-256.
    Certificate(Hash),
}

/// An endpoint an organ has registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushLink {
    /// Whose mail is brought there.
    pub organ: OrganId,
    /// `https://host:port`.
    pub endpoint: String,
    /// Who must be there.
    pub server: Server,
    /// Most deliveries brought at a time.
    pub window: u32,
    /// How long one call may take.
    pub timeout: Duration,
    /// Whether the receipts of what the organ sent are brought too.
    pub receipts: bool,
    /// Whether anything is.
    pub enabled: bool,
    /// When it was registered so. A link that is registered anew is another one.
    pub set_at: Timestamp,
    /// By whom: an organ id, or `operator:NAME`.
    pub set_by: String,
}

/// An endpoint that takes nothing at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since when.
    pub since: Timestamp,
    /// How often it was tried in vain, the first time included.
    pub failures: u32,
    /// Why, the last time.
    pub cause: Cause,
    /// The same in words.
    pub reason: String,
    /// When it is tried again.
    pub retry_at: Timestamp,
}

/// A link and how it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRecord {
    /// The link.
    pub link: PushLink,
    /// None while the endpoint takes what it is brought.
    pub outage: Option<Outage>,
}
