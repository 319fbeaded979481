//! A gateway's door with a CA behind it, and callers of every kind.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use metrics_exporter_prometheus::PrometheusHandle;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use truc::domain::organ_id::OrganId;
use truc::domain::time::{Clock, SystemClock, Timestamp};
use truc::identity::accept::{AcceptLimits, Acceptor, Incoming};
use truc::identity::client::ClientFiles;
use truc::identity::pki::{Ca, Existing, Issued, Subject, Validity};
use truc::identity::tls::{ServerTls, TlsFiles};
use truc::metrics::Metrics;

/// Longer than anything here takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const DAY: Duration = Duration::from_secs(86_400);

/// The machine's clock, which a test can put forward.
#[derive(Default)]
pub struct TestClock {
    ahead_us: AtomicI64,
}

impl TestClock {
    pub fn put_forward(&self, by: Duration) {
        self.ahead_us.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.ahead_us.load(Ordering::Relaxed))
    }
}

pub struct Door {
    pub dir: TempDir,
    pub ca: Ca,
    pub clock: Arc<TestClock>,
    pub files: TlsFiles,
    pub metrics: Arc<Metrics>,
    pub page: PrometheusHandle,
}

impl Door {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(dir.path(), SystemClock.now(), Existing::Keep).unwrap();
        let server = ca.issue(&server_subject(), Self::year(), Existing::Keep).unwrap();
        let files = TlsFiles {
            certificate: server.certificate,
            key: server.key,
            client_ca: ca.certificate_path(),
            crls: vec![ca.crl_path()],
            tls12: false,
        };
        let (metrics, page) = Metrics::exported();
        Self { dir, ca, clock: Arc::default(), files, metrics: Arc::new(metrics), page }
    }

    pub fn year() -> Validity {
        Validity::days(SystemClock.now(), 365)
    }

    pub fn organ(&self, id: &str) -> Issued {
        self.organ_valid(id, Self::year())
    }

    pub fn organ_valid(&self, id: &str, validity: Validity) -> Issued {
        let subject = Subject::Organ(OrganId::parse(id).unwrap(), "Cơ quan thử".into());
        self.ca.issue(&subject, validity, Existing::Keep).unwrap()
    }

    pub fn tls(&self) -> Arc<ServerTls> {
        Arc::new(
            ServerTls::load(
                self.files.clone(),
                Arc::clone(&self.clock) as Arc<dyn Clock>,
                Arc::clone(&self.metrics),
            )
            .unwrap(),
        )
    }

    pub fn caller(&self, issued: &Issued) -> Caller {
        Caller { pair: Some((issued.certificate.clone(), issued.key.clone())), ..self.stranger() }
    }

    /// A caller without a certificate.
    pub fn stranger(&self) -> Caller {
        Caller { ca: self.ca.certificate_path(), pair: None, name: "localhost", tls12: false, alpn: "h2" }
    }

    pub fn client_files(&self, issued: &Issued) -> ClientFiles {
        ClientFiles {
            ca: self.ca.certificate_path(),
            certificate: issued.certificate.clone(),
            key: issued.key.clone(),
        }
    }
}

pub fn server_subject() -> Subject {
    Subject::Server { dns: vec!["localhost".into()], ips: vec![] }
}

pub async fn listen(tls: &Arc<ServerTls>, limits: AcceptLimits) -> (SocketAddr, Incoming) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, Acceptor::new(Arc::clone(tls), limits).incoming(listener))
}

/// A server that tells each caller who it is, then sends back what it gets.
pub async fn greet(tls: &Arc<ServerTls>, limits: AcceptLimits) -> SocketAddr {
    let (address, mut incoming) = listen(tls, limits).await;
    tokio::spawn(async move {
        while let Some(conn) = incoming.next().await {
            let mut conn = conn.unwrap();
            tokio::spawn(async move {
                let role = conn.peer().role.to_string();
                conn.write_all(format!("{role}\n").as_bytes()).await?;
                let (mut from, mut to) = tokio::io::split(conn);
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

#[derive(Clone)]
pub struct Caller {
    pub ca: PathBuf,
    pub pair: Option<(PathBuf, PathBuf)>,
    pub name: &'static str,
    pub tls12: bool,
    pub alpn: &'static str,
}

/// A connection that was greeted.
#[derive(Debug)]
pub struct Line {
    pub greeting: String,
    pub stream: TlsStream<TcpStream>,
}

impl Caller {
    /// Connects and waits for the greeting: with TLS 1.3 a caller learns of a refusal when it reads.
    pub async fn dial(&self, address: SocketAddr) -> io::Result<Line> {
        let tcp = TcpStream::connect(address).await?;
        let name = ServerName::try_from(self.name).unwrap();
        let handshake = TlsConnector::from(Arc::new(self.config())).connect(name, tcp);
        let mut stream = within_patience(handshake).await?;
        let mut greeting = Vec::new();
        loop {
            match within_patience(stream.read_u8()).await? {
                b'\n' => break,
                byte => greeting.push(byte),
            }
        }
        Ok(Line { greeting: String::from_utf8(greeting).unwrap(), stream })
    }

    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.ca).unwrap()).unwrap();
        let versions = if self.tls12 { &[&TLS12] } else { &[&TLS13] };
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match &self.pair {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
            }
        };
        config.alpn_protocols = vec![self.alpn.into()];
        config
    }
}

impl Line {
    /// True when what is sent comes back.
    pub async fn works(&mut self) -> bool {
        let mut back = [0; 4];
        let exchange = async {
            self.stream.write_all(b"ping").await?;
            self.stream.read_exact(&mut back).await
        };
        within_patience(exchange).await.is_ok() && &back == b"ping"
    }

    /// Waits until the other end has closed.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        // An abrupt end is an end too.
        let _ = within_patience(self.stream.read_to_end(&mut rest)).await;
    }

    pub fn server_serial(&self) -> String {
        let chain = self.stream.get_ref().1.peer_certificates().unwrap();
        truc::identity::Peer::of(&chain[0]).unwrap().serial
    }
}

pub async fn within_patience<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("this does not take so long")
}

/// Waits until a condition holds.
pub async fn until(mut holds: impl FnMut() -> bool) {
    within_patience(async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// What is logged on this thread, at WARN and above.
#[derive(Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<u8>>>);

impl Journal {
    pub fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let to = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::WARN)
            .with_writer(move || to.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
