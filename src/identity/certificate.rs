//! Reading certificates: for the peer of a connection, for `check-config`, for figures of expiry.

use std::path::Path;

use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};

use super::error::{Error, Malformed};
use super::files;
use super::peer::{NoRole, Peer, Role};
use crate::domain::message::Hash;
use crate::domain::time::Timestamp;

/// Longest subject kept, characters: anyone can send a certificate, and its subject goes to the log.
const SUBJECT_CHARS_MAX: usize = 256;

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject, for people and logs; without control characters.
    pub subject: String,
    /// Whom it makes of its holder.
    pub role: Role,
    /// Why the role is [`Role::None`]; nothing when there is a role.
    pub no_role: Option<NoRole>,
    /// The serial number, lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of its DER.
    pub fingerprint: Hash,
    /// Not valid before.
    pub not_before: Timestamp,
    /// Not valid after.
    pub not_after: Timestamp,
}

impl CertificateFacts {
    /// Reads a certificate; verifies nothing.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Malformed> {
        let x509 = parse(certificate)?;
        let names = x509.subject_alternative_name().map_err(|e| Malformed(e.to_string()))?;
        let uris = names.iter().flat_map(|san| &san.value.general_names).filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        });
        let (role, no_role) = match Role::of_uris(uris) {
            Ok(role) => (role, None),
            Err(why) => (Role::None, Some(why)),
        };
        Ok(Self {
            subject: printable(&x509.subject().to_string()),
            role,
            no_role,
            serial: serial_text(x509.raw_serial()),
            fingerprint: Hash::of(certificate),
            not_before: timestamp(x509.validity().not_before),
            not_after: timestamp(x509.validity().not_after),
        })
    }
}

impl Peer {
    /// Reads a certificate, which must have been verified before anything is concluded from it.
    pub fn of(certificate: &CertificateDer<'_>) -> Result<Self, Malformed> {
        CertificateFacts::of(certificate).map(Self::from)
    }
}

impl From<CertificateFacts> for Peer {
    fn from(facts: CertificateFacts) -> Self {
        let CertificateFacts { role, no_role, subject, serial, fingerprint, .. } = facts;
        Self { role, no_role, subject, serial, fingerprint }
    }
}

/// Reads the first certificate of a file, PEM or DER; verifies nothing.
pub fn inspect(path: &Path) -> Result<CertificateFacts, Error> {
    let certificates = files::certificates(path)?;
    CertificateFacts::of(&certificates[0])
        .map_err(|reason| Error::BadCertificate { path: path.to_owned(), reason })
}

pub(super) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Malformed> {
    match X509Certificate::from_der(certificate) {
        Ok(([], x509)) => Ok(x509),
        Ok(_) => Err(Malformed("bytes after its end".to_owned())),
        Err(e) => Err(Malformed(e.to_string())),
    }
}

pub(super) fn timestamp(time: ASN1Time) -> Timestamp {
    Timestamp::from_micros(time.timestamp().saturating_mul(1_000_000))
}

/// A serial number as text: lower-case hexadecimal, two digits a byte, no leading zero bytes.
pub(super) fn serial_text(bytes: &[u8]) -> String {
    let first = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len().saturating_sub(1));
    bytes[first..].iter().map(|b| format!("{b:02x}")).collect()
}

/// Text of unknown origin made fit for a log line.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .take(SUBJECT_CHARS_MAX)
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_plain_hexadecimal() {
        assert_eq!(serial_text(&[0x00, 0x8a, 0x01]), "8a01");
        assert_eq!(serial_text(&[0x0a, 0xff]), "0aff");
        assert_eq!(serial_text(&[0x00]), "00");
        assert_eq!(serial_text(&[]), "");
    }

    #[test]
    fn hostile_subjects_do_not_reach_the_log_as_they_are() {
        assert_eq!(printable("a\n\u{1b}[31mb"), "a\u{fffd}\u{fffd}[31mb");
        assert_eq!(printable(&"x".repeat(10_000)).len(), SUBJECT_CHARS_MAX);
    }

    #[test]
    fn what_is_not_a_certificate_is_said_to_be_none() {
        assert!(CertificateFacts::of(&CertificateDer::from(&b"\x30\x03abc"[..])).is_err());
        assert!(CertificateFacts::of(&CertificateDer::from(&b""[..])).is_err());
    }
}
