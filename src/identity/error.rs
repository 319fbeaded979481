//! Why certificates, keys and revocation lists could not be loaded, and what to do about it.

use std::io;
use std::path::PathBuf;

/// Bytes that are not an X.509 certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an X.509 certificate: {0}")]
pub struct Malformed(pub(super) String);

/// Why TLS could not be set up from files. Each says which file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("{path}: {cause}; check the path, and that the user the service runs as may read it")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A file is not the PEM it should be.
    #[error("{path}: broken PEM ({reason}); copy the file again, whole")]
    BadPem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file holds no certificate.
    #[error("{path}: no certificate in it; it must hold a BEGIN CERTIFICATE block or be DER")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds a certificate that can't be read.
    #[error("{path}: {reason}; ask the CA for the certificate again")]
    BadCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: Malformed,
    },
    /// A file holds no private key.
    #[error("{path}: no unencrypted private key in it; it must hold a PKCS#8, SEC1 or PKCS#1 key as PEM")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A private key is of a kind that can't be used.
    #[error(
        "{path}: the private key can't be used ({reason}); make a P-256, P-384, Ed25519 or RSA key of 2048 bits or more"
    )]
    BadKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: rustls::Error,
    },
    /// A key and a certificate do not belong together.
    #[error("{key} is not the private key of {certificate}; put the pair in place that was issued together")]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// A CA certificate can't be trusted as one.
    #[error("{path}: a certificate in it can't serve as a CA ({reason}); it must hold CA certificates only")]
    BadAuthority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: rustls::Error,
    },
    /// A file holds no usable revocation list.
    #[error(
        "{path}: no usable certificate revocation list in it ({reason}); fetch it again from the CA, PEM or DER"
    )]
    BadCrl {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A revocation list in the name of a trusted CA which that CA did not sign.
    #[error("{path}: not signed by {issuer}, in whose name it speaks; fetch it again from the CA itself")]
    ForgedCrl {
        /// The file.
        path: PathBuf,
        /// The CA it names.
        issuer: String,
    },
    /// TLS refuses the set-up as a whole.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] rustls::Error),
}
