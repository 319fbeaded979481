//! Verifying callers' certificates, and remembering which one a handshake was about: when a handshake fails, TLS
//! keeps nothing of it, and a refusal that names no certificate is of no use to an operator.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::crl::Crl;
use crate::identity::error::Error;
use crate::identity::files::provider;

tokio::task_local! {
    /// The certificate presented in the handshake this task performs.
    static PRESENTED: Arc<OnceLock<CertificateDer<'static>>>;
}

/// Runs a handshake and tells which certificate the caller presented in it, if it came to that.
pub(in crate::identity) async fn witnessed<F: Future>(
    handshake: F,
) -> (F::Output, Option<CertificateDer<'static>>) {
    let presented = Arc::new(OnceLock::new());
    let output = PRESENTED.scope(Arc::clone(&presented), handshake).await;
    (output, presented.get().cloned())
}

/// A verifier that requires a certificate of one of the `roots`, valid, for client use, and not revoked in `crls`.
///
/// The list of a chain's issuer decides when there is one; an issuer without a list revokes nothing. A list that is
/// past its next update still counts: ignoring it would make good again what was revoked.
pub(super) fn build(roots: &Arc<RootCertStore>, crls: &[Crl]) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider())
        .with_crls(crls.iter().map(|crl| crl.der.clone()))
        .allow_unknown_revocation_status()
        .build()
        .map_err(|e| TlsError::General(e.to_string()))?;
    Ok(Arc::new(Witness { inner }))
}

#[derive(Debug)]
struct Witness {
    inner: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for Witness {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        // Outside a handshake nobody asks which certificate it was.
        let _ = PRESENTED.try_with(|presented| presented.set(end_entity.clone().into_owned()));
        self.inner.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
