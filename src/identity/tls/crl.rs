//! Certificate revocation lists: loading them, refusing forged ones at the door, telling when they grow old.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer};

use crate::domain::time::Timestamp;
use crate::identity::certificate::{parse, printable, timestamp};
use crate::identity::error::Error;
use crate::identity::files;

/// A revocation list that can be used.
pub(super) struct Crl {
    pub(super) der: CertificateRevocationListDer<'static>,
    path: PathBuf,
    issuer: String,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    warned: AtomicBool,
}

/// The lists in the bytes of some files, the newest first: of several by one issuer the newest is asked.
pub(super) fn load(
    lists: Vec<(&Path, Vec<u8>)>,
    roots: &Arc<RootCertStore>,
    authorities: &[CertificateDer<'_>],
) -> Result<Vec<Crl>, Error> {
    let mut crls = Vec::new();
    for (path, bytes) in lists {
        for der in files::crls_in(path, bytes)? {
            crls.push(check(path, der, roots, authorities)?);
        }
    }
    crls.sort_by_key(|crl| Reverse(crl.this_update));
    Ok(crls)
}

impl Crl {
    /// Says in the log, once, that the list is past its next update.
    pub(super) fn warn_if_expired(&self, now: Timestamp) {
        if self.next_update.is_some_and(|at| at < now) && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                path = %self.path.display(),
                issuer = self.issuer,
                "revocation list is past its next update; it stays in force, but later revocations are unknown: fetch a newer one"
            );
        }
    }
}

fn check(
    path: &Path,
    der: CertificateRevocationListDer<'static>,
    roots: &Arc<RootCertStore>,
    authorities: &[CertificateDer<'_>],
) -> Result<Crl, Error> {
    let bad = |reason: String| Error::BadCrl { path: path.to_owned(), reason };
    let crl = match CertificateRevocationList::from_der(&der) {
        Ok(([], crl)) => crl,
        Ok(_) => return Err(bad("bytes after its end".to_owned())),
        Err(e) => return Err(bad(e.to_string())),
    };
    // The verifier is the one that must understand the list: delta and indirect ones it does not.
    WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), files::provider())
        .with_crls([der.clone()])
        .build()
        .map_err(|e| bad(e.to_string()))?;
    let issuer = printable(&crl.issuer().to_string());
    let (this_update, next_update) = (timestamp(crl.last_update()), crl.next_update().map(timestamp));
    match signed_by_one_of(&crl, authorities) {
        Some(false) => return Err(Error::ForgedCrl { path: path.to_owned(), issuer }),
        Some(true) => {}
        None => tracing::warn!(
            path = %path.display(),
            issuer,
            "revocation list of a CA that is not among the client CAs; it counts only for an intermediate CA callers send"
        ),
    }
    Ok(Crl { path: path.to_owned(), issuer, this_update, next_update, warned: AtomicBool::new(false), der })
}

/// Whether a CA of the list's name signed it; nothing when no CA has that name.
fn signed_by_one_of(crl: &CertificateRevocationList<'_>, authorities: &[CertificateDer<'_>]) -> Option<bool> {
    let algorithms = files::provider().signature_verification_algorithms.all;
    let keys: Vec<Vec<u8>> = authorities
        .iter()
        .filter_map(|authority| {
            let x509 = parse(authority).ok()?;
            let named = x509.subject().as_raw() == crl.issuer().as_raw();
            named.then(|| x509.public_key().subject_public_key.data.to_vec())
        })
        .collect();
    if keys.is_empty() {
        return None;
    }
    let (message, signature) = (crl.tbs_cert_list.as_ref(), crl.signature_value.data.as_ref());
    Some(
        keys.iter().any(|key| algorithms.iter().any(|a| a.verify_signature(key, message, signature).is_ok())),
    )
}
