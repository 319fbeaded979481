//! Certificates, keys and revocation lists, from files to the types TLS works with.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{Error as PemError, PemObject};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::error::{Error, Malformed};

/// The first byte of everything in DER that is read here.
const DER_SEQUENCE: u8 = 0x30;

/// The one crypto provider, handed over explicitly everywhere: nothing depends on a default of the process.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|cause| Error::Unreadable { path: path.to_owned(), cause })
}

/// The certificates of a file, PEM or DER; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    certificates_in(path, read(path)?)
}

/// The certificates in the bytes of a file, PEM or DER; at least one.
pub(super) fn certificates_in(path: &Path, bytes: Vec<u8>) -> Result<Vec<CertificateDer<'static>>, Error> {
    if bytes.first() == Some(&DER_SEQUENCE) {
        return Ok(vec![CertificateDer::from(bytes)]);
    }
    let found: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|e| Error::BadPem { path: path.to_owned(), reason: e.to_string() })?;
    match found.is_empty() {
        true => Err(Error::NoCertificate { path: path.to_owned() }),
        false => Ok(found),
    }
}

/// The revocation lists in the bytes of a file, PEM or DER; at least one.
pub(super) fn crls_in(
    path: &Path,
    bytes: Vec<u8>,
) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
    if bytes.first() == Some(&DER_SEQUENCE) {
        return Ok(vec![CertificateRevocationListDer::from(bytes)]);
    }
    let found: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|e| Error::BadPem { path: path.to_owned(), reason: e.to_string() })?;
    match found.is_empty() {
        true => Err(Error::BadCrl { path: path.to_owned(), reason: "no BEGIN X509 CRL block".to_owned() }),
        false => Ok(found),
    }
}

/// The trust anchors in the bytes of a CA bundle.
pub(super) fn roots_in(path: &Path, bytes: Vec<u8>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_in(path, bytes)? {
        roots.add(certificate).map_err(|reason| Error::BadAuthority { path: path.to_owned(), reason })?;
    }
    Ok(roots)
}

/// A file of a pair, with its bytes.
pub(super) struct Half<'a> {
    pub path: &'a Path,
    pub bytes: Vec<u8>,
}

/// A certificate chain with its private key, checked to belong together.
pub(super) fn certified_key(certificate: Half<'_>, key: Half<'_>) -> Result<CertifiedKey, Error> {
    let chain = certificates_in(certificate.path, certificate.bytes)?;
    let private = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|e| match e {
        PemError::NoItemsFound => Error::NoKey { path: key.path.to_owned() },
        e => Error::BadPem { path: key.path.to_owned(), reason: e.to_string() },
    })?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|reason| match reason {
        rustls::Error::InconsistentKeys(_) => {
            Error::KeyMismatch { certificate: certificate.path.to_owned(), key: key.path.to_owned() }
        }
        rustls::Error::InvalidCertificate(_) => {
            Error::BadCertificate { path: certificate.path.to_owned(), reason: Malformed(reason.to_string()) }
        }
        reason => Error::BadKey { path: key.path.to_owned(), reason },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_wrong_file_has_its_error() {
        let path = Path::new("x.pem");
        let pem = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n").into_bytes();
        assert!(matches!(certificates_in(path, pem("PRIVATE KEY")), Err(Error::NoCertificate { .. })));
        assert!(matches!(certificates_in(path, Vec::new()), Err(Error::NoCertificate { .. })));
        assert!(matches!(
            certificates_in(path, b"-----BEGIN CERTIFICATE-----\n!".to_vec()),
            Err(Error::BadPem { .. })
        ));
        assert!(matches!(crls_in(path, pem("CERTIFICATE")), Err(Error::BadCrl { .. })));
        assert!(matches!(roots_in(path, pem("CERTIFICATE")), Err(Error::BadAuthority { .. })));
        assert!(matches!(read(Path::new("/nowhere/at/all")), Err(Error::Unreadable { .. })));
        let pair = |certificate: Vec<u8>, key: Vec<u8>| {
            certified_key(Half { path, bytes: certificate }, Half { path, bytes: key }).map(|_| ())
        };
        let encrypted = pem("ENCRYPTED PRIVATE KEY");
        assert!(matches!(pair(pem("CERTIFICATE"), encrypted), Err(Error::NoKey { .. })));
        assert!(matches!(pair(pem("CERTIFICATE"), pem("PRIVATE KEY")), Err(Error::BadKey { .. })));
    }
}
