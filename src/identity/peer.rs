//! What a certificate says about its holder.

use std::fmt;

use crate::domain::message::Hash;
use crate::domain::organ_id::{OrganId, ParseOrganIdError};

/// Longest name of an operator, characters.
const OPERATOR_CHARS_MAX: usize = 64;

/// The holder of the certificate at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Whom the certificate makes of its holder.
    pub role: Role,
    /// Why the role is [`Role::None`]; nothing when there is a role.
    pub no_role: Option<NoRole>,
    /// The subject, for people and logs; without control characters.
    pub subject: String,
    /// The serial number, lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate's DER.
    pub fingerprint: Hash,
}

/// Whom a certificate makes of its holder.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A body with an organ id: SAN URI `urn:truc:organ:H49`.
    Organ(OrganId),
    /// A person who runs the gateway: SAN URI `urn:truc:operator:NAME`.
    Operator(String),
    /// Nobody the certificate itself names.
    None,
}

/// Why a certificate names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRole {
    /// No `urn:truc:` URI.
    #[error("the certificate has no urn:truc: URI among its alternative names")]
    Missing,
    /// More than one.
    #[error("the certificate has {0} urn:truc: URIs among its alternative names; one is allowed")]
    Several(usize),
    /// Not `organ` and not `operator`.
    #[error("the certificate's URI {0:?} is neither urn:truc:organ:ID nor urn:truc:operator:NAME")]
    UnknownKind(String),
    /// The organ id can't be read.
    #[error("the certificate's URI {uri:?} holds no organ id: {reason}")]
    BadOrgan {
        /// The URI.
        uri: String,
        /// What is wrong with the id.
        reason: ParseOrganIdError,
    },
    /// The operator's name can't be used.
    #[error("the certificate's URI {0:?} holds no operator's name: 1 to 64 of A-Z a-z 0-9 . _ -")]
    BadOperator(String),
}

impl Role {
    /// The role given by the URIs among a certificate's alternative names.
    pub(super) fn of_uris<'a>(uris: impl IntoIterator<Item = &'a str>) -> Result<Self, NoRole> {
        let ours: Vec<(&str, &str)> =
            uris.into_iter().filter_map(|uri| Some((uri, after_prefix(uri)?))).collect();
        let [(uri, rest)] = ours[..] else {
            return Err(if ours.is_empty() { NoRole::Missing } else { NoRole::Several(ours.len()) });
        };
        match rest.split_once(':') {
            Some(("organ", id)) => match OrganId::parse(id) {
                Ok(id) => Ok(Self::Organ(id)),
                Err(reason) => Err(NoRole::BadOrgan { uri: uri.to_owned(), reason }),
            },
            Some(("operator", name)) if is_operator_name(name) => Ok(Self::Operator(name.to_owned())),
            Some(("operator", _)) => Err(NoRole::BadOperator(uri.to_owned())),
            _ => Err(NoRole::UnknownKind(uri.to_owned())),
        }
    }

    /// The URI that gives this role; nothing for [`Role::None`].
    pub fn uri(&self) -> Option<String> {
        match self {
            Self::Organ(id) => Some(format!("urn:truc:organ:{id}")),
            Self::Operator(name) => Some(format!("urn:truc:operator:{name}")),
            Self::None => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organ(id) => write!(f, "organ {id}"),
            Self::Operator(name) => write!(f, "operator {name}"),
            Self::None => f.write_str("no role"),
        }
    }
}

/// True for a name an operator's certificate can carry.
pub(super) fn is_operator_name(name: &str) -> bool {
    (1..=OPERATOR_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// What follows `urn:truc:`, whose letter case does not matter (RFC 8141).
fn after_prefix(uri: &str) -> Option<&str> {
    const PREFIX: &str = "urn:truc:";
    let (head, rest) = uri.split_at_checked(PREFIX.len())?;
    head.eq_ignore_ascii_case(PREFIX).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_gives_the_role() {
        let organ = |id| Ok(Role::Organ(OrganId::parse(id).unwrap()));
        assert_eq!(Role::of_uris(["urn:truc:organ:H49"]), organ("H49"));
        assert_eq!(Role::of_uris(["https://example.vn/", "URN:Truc:organ:000.00.12.H57"]), organ("H57.12"));
        assert_eq!(Role::of_uris(["urn:truc:operator:lan.nguyen"]), Ok(Role::Operator("lan.nguyen".into())));
    }

    #[test]
    fn what_gives_no_role_says_why() {
        assert_eq!(Role::of_uris([]), Err(NoRole::Missing));
        assert_eq!(Role::of_uris(["urn:tru"]), Err(NoRole::Missing));
        assert_eq!(Role::of_uris(["urn:trục:organ:H49"]), Err(NoRole::Missing));
        assert_eq!(Role::of_uris(["urn:truc:organ:H49", "urn:truc:operator:lan"]), Err(NoRole::Several(2)));
        assert_eq!(Role::of_uris(["urn:truc:organ:H49", "URN:TRUC:organ:H49"]), Err(NoRole::Several(2)));
        assert!(matches!(Role::of_uris(["urn:truc:organ:Z99"]), Err(NoRole::BadOrgan { .. })));
        assert!(matches!(Role::of_uris(["urn:truc:operator:"]), Err(NoRole::BadOperator(_))));
        assert!(matches!(Role::of_uris(["urn:truc:operator:a b"]), Err(NoRole::BadOperator(_))));
        assert!(matches!(Role::of_uris(["urn:truc:minister:H49"]), Err(NoRole::UnknownKind(_))));
        assert!(matches!(Role::of_uris(["urn:truc:organ"]), Err(NoRole::UnknownKind(_))));
    }

    #[test]
    fn the_uri_of_a_role_gives_that_role_again() {
        for role in [Role::Organ(OrganId::parse("H57.12").unwrap()), Role::Operator("lan".into())] {
            assert_eq!(Role::of_uris([role.uri().unwrap().as_str()]), Ok(role));
        }
    }
}
