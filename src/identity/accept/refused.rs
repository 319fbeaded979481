//! Why a caller got no connection: in words for the log, and in one of a few kinds for the figures. The caller
//! itself sees little more than a closed connection, so this is where an operator finds out.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustls::{CertificateError, Error as TlsError, InvalidMessage, PeerIncompatible};
use rustls_pki_types::CertificateDer;

use crate::identity::certificate::CertificateFacts;
use crate::metrics::{HandshakeResult, Metrics};

/// A refused handshake.
#[derive(Debug)]
pub(super) struct Refused {
    result: HandshakeResult,
    reason: String,
    /// The caller hung up by itself, as probes of load balancers do: not worth a warning.
    hung_up: bool,
}

impl Refused {
    pub(super) fn other(reason: &impl fmt::Display) -> Self {
        Self { result: HandshakeResult::Failed, reason: reason.to_string(), hung_up: false }
    }

    pub(super) fn full(connections_max: usize) -> Self {
        Self::other(&format_args!("the limit of {connections_max} connections is reached"))
    }

    pub(super) fn timed_out(limit: Duration) -> Self {
        Self {
            result: HandshakeResult::Timeout,
            ..Self::other(&format_args!("the handshake was not finished within {limit:?}"))
        }
    }

    pub(super) fn without_certificate() -> Self {
        Self { result: HandshakeResult::Missing, ..Self::other(&"the caller presented no certificate") }
    }

    /// Of an error of the handshake.
    pub(super) fn by_tls(e: &io::Error) -> Self {
        let Some(tls) = e.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) else {
            use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
            return match matches!(e.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) {
                true => Self { hung_up: true, ..Self::other(&"the caller hung up during the handshake") },
                false => Self::other(e),
            };
        };
        match tls {
            TlsError::NoCertificatesPresented => Self::without_certificate(),
            TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => {
                Self::other(&"this is not TLS: the caller speaks plain text or another protocol")
            }
            TlsError::PeerIncompatible(
                PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::ServerDoesNotSupportTls12Or13,
            ) => Self::other(&"the caller offers no TLS version that is allowed here"),
            TlsError::NoApplicationProtocol => Self::other(&"the caller does not offer HTTP/2 (ALPN h2)"),
            TlsError::AlertReceived(alert) => Self::other(&format_args!(
                "the caller broke off, it may not trust this gateway's certificate: {alert:?}"
            )),
            tls => Self::by_certificate(tls),
        }
    }

    /// Of a verdict on the caller's certificate.
    pub(super) fn by_certificate(e: &TlsError) -> Self {
        let TlsError::InvalidCertificate(verdict) = e else { return Self::other(e) };
        let (result, reason) = match verdict {
            CertificateError::Revoked => (HandshakeResult::Revoked, "the certificate is revoked"),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                (HandshakeResult::Expired, "the certificate has expired")
            }
            CertificateError::UnknownIssuer => {
                (HandshakeResult::Unknown, "the certificate is of no CA trusted here")
            }
            CertificateError::BadSignature => (
                HandshakeResult::Unknown,
                "the certificate names a CA trusted here, but that CA did not sign it",
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                (HandshakeResult::Failed, "the certificate is not valid yet: check both clocks")
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                (HandshakeResult::Failed, "the certificate is not for clients (extended key usage)")
            }
            _ => return Self::other(e),
        };
        Self { result, ..Self::other(&reason) }
    }

    /// Counts the refusal and writes it to the log, with what the certificate said if one was presented.
    pub(super) fn report(
        self,
        address: SocketAddr,
        presented: Option<&CertificateDer<'_>>,
        metrics: &Metrics,
    ) {
        metrics.handshakes.of(self.result).increment(1);
        if self.hung_up {
            return tracing::debug!(peer = %address, reason = self.reason, "connection refused");
        }
        let facts = presented.and_then(|certificate| CertificateFacts::of(certificate).ok());
        tracing::warn!(
            peer = %address,
            subject = facts.as_ref().map(|f| f.subject.as_str()),
            serial = facts.as_ref().map(|f| f.serial.as_str()),
            reason = self.reason,
            "connection refused"
        );
    }
}
