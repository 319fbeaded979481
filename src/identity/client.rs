//! The calling side: channels to a gateway, by TLS or not at all.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, version};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use super::error::Error as FilesError;
use super::files::{self, Half};

/// Longest wait for a connection, handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 pings: a silent connection is probed after the first, given up after the second.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 windows, bytes: the default of 64 KiB makes a stream wait for the round trip.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;
/// HTTP/2 frames to us, bytes: one of the default 16 KiB and its head are 9 bytes more than a TLS record holds, so that each would come in two.
const FRAME_BYTES_MAX: u32 = 256 * 1024;

/// Where a caller's certificates are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientFiles {
    /// The CAs one of which must have issued the gateway's certificate (PEM bundle, or one in DER).
    pub ca: PathBuf,
    /// The caller's certificate chain, its own certificate first (PEM, or one in DER).
    pub certificate: PathBuf,
    /// Its private key (PEM, not encrypted).
    pub key: PathBuf,
}

/// TLS of a caller: 1.3 only, the gateway's name checked, its own certificate shown.
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

/// Why there is no channel to a gateway.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The endpoint is not `https://host:port`.
    #[error("endpoint {endpoint:?} is not of the form https://host:port: {reason}")]
    BadEndpoint {
        /// As given.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
    /// The endpoint would be plain text.
    #[error("endpoint {0:?} is not encrypted; a gateway is called by https:// only")]
    Plaintext(String),
    /// No connection.
    #[error("no connection to {endpoint}: {reason}")]
    Connect {
        /// The endpoint.
        endpoint: String,
        /// The causes, outermost first.
        reason: String,
    },
}

impl ClientTls {
    /// Loads the files.
    pub fn load(paths: &ClientFiles) -> Result<Self, FilesError> {
        let certified = files::certified_key(
            Half { path: &paths.certificate, bytes: files::read(&paths.certificate)? },
            Half { path: &paths.key, bytes: files::read(&paths.key)? },
        )?;
        let roots = files::roots_in(&paths.ca, files::read(&paths.ca)?)?;
        let mut config = ClientConfig::builder_with_provider(files::provider())
            .with_protocol_versions(&[&version::TLS13])?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config) })
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTls")
    }
}

/// Connects to a gateway at `https://host:port`. The channel connects again by itself when the connection is lost.
///
/// With TLS 1.3 a gateway judges the caller's certificate after this has returned: a caller it refuses learns so
/// from its first call.
pub async fn connect(endpoint: &str, tls: &ClientTls) -> Result<Channel, Error> {
    let uri = parse(endpoint)?;
    let server = server_name(&uri).map_err(|reason| bad(endpoint, reason))?;
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    let service = tower::service_fn(move |uri: Uri| open(uri, server.clone(), connector.clone()));
    Endpoint::from(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .connect_with_connector(service)
        .await
        .map_err(|e| Error::Connect { endpoint: endpoint.to_owned(), reason: causes(&e) })
}

async fn open(
    uri: Uri,
    server: ServerName<'static>,
    connector: TlsConnector,
) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let tcp = TcpStream::connect((host, uri.port_u16().unwrap_or(443))).await?;
    tcp.set_nodelay(true)?;
    connector.connect(server, tcp).await.map(TokioIo::new)
}

fn parse(endpoint: &str) -> Result<Uri, Error> {
    let uri: Uri = endpoint.parse().map_err(|e: http::uri::InvalidUri| bad(endpoint, e.to_string()))?;
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") => return Err(Error::Plaintext(endpoint.to_owned())),
        Some(_) | None => return Err(bad(endpoint, "it does not start with https://".to_owned())),
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(bad(endpoint, "nothing may follow the port".to_owned()));
    }
    Ok(uri)
}

fn server_name(uri: &Uri) -> Result<ServerName<'static>, String> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())
}

fn bad(endpoint: &str, reason: String) -> Error {
    Error::BadEndpoint { endpoint: endpoint.to_owned(), reason }
}

/// An error with its causes, each said once.
fn causes(error: &dyn StdError) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(e) = next {
        let text = e.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        next = e.source();
    }
    said.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_encrypted_and_plain() {
        for good in
            ["https://gw.example.vn:7443", "https://127.0.0.1:7443/", "https://[::1]:7443", "https://gw"]
        {
            let uri = parse(good).unwrap();
            assert!(server_name(&uri).is_ok(), "{good}");
        }
        assert!(matches!(parse("http://gw.example.vn:7443"), Err(Error::Plaintext(_))));
        for wrong in ["", "gw.example.vn:7443", "ftp://gw", "https://gw/path", "https://gw/?q", "https://"] {
            assert!(matches!(parse(wrong), Err(Error::BadEndpoint { .. })), "{wrong}");
        }
    }
}
