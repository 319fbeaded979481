//! The gateway as a caller of agencies' endpoints: it shows its own certificate, and goes on only with whom the link names.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SingleCertAndKey;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme, version,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificate::CertificateFacts;
use super::files;
use super::peer::Role;
use super::tls::{ClockTime, Loaded, ServerTls};
use crate::domain::link::Server;
use crate::domain::message::Hash;
use crate::domain::time::Timestamp;

/// Why there is no TLS connection to an endpoint.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificate it shows is not the one the link names.
    #[error("the endpoint's certificate is not accepted: {0}")]
    WrongServer(String),
    /// The endpoint does not accept the gateway's certificate.
    #[error("the endpoint does not accept the gateway's certificate: {0}")]
    NotWelcome(String),
    /// The handshake failed otherwise.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

impl Error {
    /// What an error of a connection, found at any depth, says of TLS.
    pub fn of(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
            Some(TlsError::InvalidCertificate(why)) => Self::WrongServer(why.to_string()),
            Some(TlsError::AlertReceived(alert)) => Self::NotWelcome(format!("{alert:?}")),
            Some(other) => Self::Handshake(other.to_string()),
            None => Self::Handshake(error.kind().to_string()),
        }
    }
}

impl ServerTls {
    /// By what is loaded now, what was loaded later is told apart.
    pub fn generation(&self) -> Hash {
        self.current().contents
    }

    /// Connects to an endpoint as the gateway, with what is loaded now.
    pub async fn call(
        &self,
        expected: &Server,
        name: ServerName<'static>,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Error> {
        let config = self.towards(expected).map_err(|error| Error::Handshake(error.to_string()))?;
        let connected = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        connected.map_err(|error| Error::of(&error))
    }

    fn towards(&self, expected: &Server) -> Result<ClientConfig, TlsError> {
        let loaded = self.current();
        let verifier = Expected { server: expected.clone(), verifier: Arc::clone(&loaded.verifier) };
        let versions: &[_] =
            if loaded.tls12 { &[&version::TLS13, &version::TLS12] } else { &[&version::TLS13] };
        let Loaded { certified, .. } = &*loaded;
        let mut config =
            ClientConfig::builder_with_details(files::provider(), Arc::new(ClockTime(self.clock())))
                .with_protocol_versions(versions)?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(certified))));
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// Accepts the certificate of the expected holder only. The name the endpoint is called by does not matter: who it is does.
struct Expected {
    server: Server,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expected").field(&self.server).finish()
    }
}

impl ServerCertVerifier for Expected {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _called: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let refused = |why| Err(TlsError::InvalidCertificate(why));
        let Ok(facts) = CertificateFacts::of(end_entity) else {
            return refused(CertificateError::BadEncoding);
        };
        match &self.server {
            Server::Organ(organ) => {
                self.verifier.verify_client_cert(end_entity, intermediates, now)?;
                if facts.role != Role::Organ(organ.clone()) {
                    return refused(CertificateError::NotValidForName);
                }
            }
            Server::Certificate(hash) => {
                if facts.fingerprint != *hash {
                    return refused(CertificateError::NotValidForName);
                }
                let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
                let now = Timestamp::from_micros(now);
                if now < facts.not_before {
                    return refused(CertificateError::NotValidYet);
                }
                if now > facts.not_after {
                    return refused(CertificateError::Expired);
                }
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
