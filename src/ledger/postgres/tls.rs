//! TLS to the database: its certificate is verified against the operator's own authorities and the host's name, always.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_postgres_rustls::MakeRustlsConnect;

/// How connections to the database are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not at all. Only to a server on this machine.
    Off,
    /// By TLS 1.3 or 1.2. The server's certificate must be issued by one of these authorities for the host's name.
    Verified {
        /// The authorities' certificates, PEM.
        ca: PathBuf,
        /// This gateway's certificate chain and its private key, PEM, where the server asks for one.
        identity: Option<(PathBuf, PathBuf)>,
    },
}

/// Why TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of its kind.
    #[error("{path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate and the key do not go together.
    #[error("the certificate {certificate} and its key cannot be used: {source}")]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The provider of cryptography does not know the versions.
    #[error(transparent)]
    Provider(#[from] rustls::Error),
}

/// What makes TLS connections; none where TLS is off.
pub(super) fn connector(tls: &Tls) -> Result<Option<MakeRustlsConnect>, TlsError> {
    let Tls::Verified { ca, identity } = tls else { return Ok(None) };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_root_certificates(roots(ca)?);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let bad = |source| TlsError::Identity { certificate: certificate.clone(), source };
            config.with_client_auth_cert(certificates(certificate)?, private_key(key)?).map_err(bad)?
        }
    };
    Ok(Some(MakeRustlsConnect::new(config)))
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| of_file(path, error))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| of_file(path, error))?.collect();
    let found = found.map_err(|error| of_file(path, error))?;
    match found.is_empty() {
        true => Err(TlsError::File { path: path.to_owned(), why: "no BEGIN CERTIFICATE block".to_owned() }),
        false => Ok(found),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| of_file(path, error))
}

fn of_file(path: &Path, error: impl std::fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), why: error.to_string() }
}
