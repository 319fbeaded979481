//! Where RabbitMQ is and how it is connected to.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBuilder;
use rustls::ClientConfig;

use crate::identity;
use crate::identity::outgoing::outgoing;

/// The password RabbitMQ's own user `guest` comes with; it works on loopback only.
const GUEST: &str = "guest";

/// Everything about the connections to a RabbitMQ cluster.
#[derive(Clone, Debug)]
pub struct Options {
    /// The nodes: `amqp://host:port` or `amqps://host:port`, tried in this order.
    pub uris: Vec<String>,
    /// The virtual host.
    pub vhost: String,
    /// The user.
    pub user: String,
    /// The file of the user's password, read at each connection. None: the password of RabbitMQ's user `guest`.
    pub password_file: Option<PathBuf>,
    /// The certificates of `amqps://`, read at each connection.
    pub tls: Option<TlsFiles>,
    /// RabbitMQ and the gateway each give up a connection that is silent for twice this long. Whole seconds.
    pub heartbeat: Duration,
    /// The longest wait for a connection, its handshakes included, and for a channel.
    pub connect_timeout: Duration,
    /// The wait before the first attempt to connect again; it doubles with each further one.
    pub reconnect_delay_min: Duration,
    /// The longest wait between two attempts, before chance lengthens it by up to as much.
    pub reconnect_delay_max: Duration,
    /// The longest wait for what was published to be confirmed.
    pub confirm_timeout: Duration,
    /// The name of this node, which RabbitMQ shows beside its connections.
    pub node: String,
}

/// Certificates of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities one of which must have issued RabbitMQ's certificate, PEM.
    pub ca: PathBuf,
    /// The gateway's own certificate chain and private key, PEM, where RabbitMQ asks for one.
    pub own: Option<(PathBuf, PathBuf)>,
}

/// Why RabbitMQ cannot be connected to, whatever it does.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// There is no node to connect to.
    #[error("no node of RabbitMQ is named")]
    NoUri,
    /// An address cannot be read.
    #[error("{uri:?} is not of the form amqp://host:port or amqps://host:port: {why}")]
    Uri {
        /// As given, without what may be a password.
        uri: String,
        /// What is wrong.
        why: String,
    },
    /// TLS is wanted, and there is no certificate to know RabbitMQ by.
    #[error(
        "{uri} needs the certificate of the authority that issued RabbitMQ's; without it there is no connection"
    )]
    NoCa {
        /// The address.
        uri: String,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] identity::Error),
    /// The password cannot be read.
    #[error("the password file {path} cannot be read: {cause}")]
    Password {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
}

impl Default for Options {
    /// A node on this machine as it comes, without TLS.
    fn default() -> Self {
        Self {
            uris: vec!["amqp://127.0.0.1:5672".to_owned()],
            vhost: "/".to_owned(),
            user: GUEST.to_owned(),
            password_file: None,
            tls: None,
            heartbeat: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            reconnect_delay_min: Duration::from_millis(100),
            reconnect_delay_max: Duration::from_secs(2),
            confirm_timeout: Duration::from_secs(15),
            node: "truc".to_owned(),
        }
    }
}

impl Options {
    /// Looks whether a connection can be tried at all: addresses, certificates and password.
    pub fn check(&self) -> Result<(), OptionsError> {
        let endpoints = self.endpoints()?;
        if let Some(at) = endpoints.iter().position(|endpoint| endpoint.tls) {
            self.client_config(&self.uris[at])?;
        }
        for endpoint in endpoints.iter().filter(|endpoint| !endpoint.tls && !endpoint.is_loopback()) {
            tracing::warn!(host = endpoint.host, "the connection to RabbitMQ is not encrypted");
        }
        self.password().map(drop)
    }

    /// The nodes.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, OptionsError> {
        match self.uris.is_empty() {
            true => Err(OptionsError::NoUri),
            false => self.uris.iter().map(|uri| Endpoint::parse(uri)).collect(),
        }
    }

    pub(super) fn password(&self) -> Result<String, OptionsError> {
        let Some(path) = &self.password_file else { return Ok(GUEST.to_owned()) };
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|cause| OptionsError::Password { path: path.clone(), cause })?;
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    pub(super) fn client_config(&self, uri: &str) -> Result<Arc<ClientConfig>, OptionsError> {
        let Some(files) = &self.tls else { return Err(OptionsError::NoCa { uri: uri.to_owned() }) };
        let own = files.own.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        Ok(outgoing(&files.ca, own)?)
    }

    pub(super) fn delays(&self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_min_delay(self.reconnect_delay_min)
            .with_max_delay(self.reconnect_delay_max)
            .with_jitter()
            .without_max_times()
    }
}

impl Endpoint {
    /// Reads an address. User, password, virtual host and parameters stand elsewhere, and are refused here.
    pub fn parse(uri: &str) -> Result<Self, OptionsError> {
        let shown = || uri.rsplit_once('@').map_or(uri, |(_, host)| host).to_owned();
        let bad = |why: &str| OptionsError::Uri { uri: shown(), why: why.to_owned() };
        if uri.contains('@') {
            return Err(bad("user and password have keys of their own"));
        }
        let parsed: http::Uri = uri.parse().map_err(|e: http::uri::InvalidUri| bad(&e.to_string()))?;
        let tls = match parsed.scheme_str() {
            Some("amqp") => false,
            Some("amqps") => true,
            Some(_) | None => return Err(bad("it begins with neither amqp:// nor amqps://")),
        };
        if !matches!(parsed.path(), "" | "/") || parsed.query().is_some() {
            return Err(bad("nothing may follow the port"));
        }
        let host = parsed.host().unwrap_or_default().trim_matches(['[', ']']);
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let port = parsed.port_u16().unwrap_or(if tls { 5671 } else { 5672 });
        Ok(Self { host: host.to_owned(), port, tls })
    }

    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_nothing_else() {
        let parse = |uri| Endpoint::parse(uri).unwrap();
        assert_eq!(parse("amqp://mq"), Endpoint { host: "mq".to_owned(), port: 5672, tls: false });
        assert_eq!(parse("amqps://[::1]/"), Endpoint { host: "::1".to_owned(), port: 5671, tls: true });
        assert_eq!(parse("amqps://mq.example.vn:7000").port, 7000);
        for wrong in [
            "",
            "mq:5672",
            "http://mq",
            "amqp://",
            "amqp://mq/vhost",
            "amqp://mq?heartbeat=3",
            "amqps://:5671",
        ] {
            assert!(matches!(Endpoint::parse(wrong), Err(OptionsError::Uri { .. })), "{wrong}");
        }
        let told = Endpoint::parse("amqp://gw:hunter2@mq").unwrap_err().to_string();
        assert!(!told.contains("hunter2"), "{told}");
    }

    #[test]
    fn encryption_without_an_authority_is_an_error() {
        let options = Options { uris: vec!["amqps://127.0.0.1:5671".to_owned()], ..Options::default() };
        assert!(matches!(options.check(), Err(OptionsError::NoCa { .. })));
        let ca = PathBuf::from("/nowhere/ca.pem");
        let options = Options { tls: Some(TlsFiles { ca, own: None }), ..options };
        assert!(matches!(options.check(), Err(OptionsError::Tls(_))));
        let none = Options { uris: Vec::new(), ..Options::default() };
        assert!(matches!(none.check(), Err(OptionsError::NoUri)));
        let lost = Options { password_file: Some("/nowhere/password".into()), ..Options::default() };
        assert!(matches!(lost.check(), Err(OptionsError::Password { .. })));
    }
}
