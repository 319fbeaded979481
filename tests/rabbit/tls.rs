//! TLS towards RabbitMQ: who is not known is not spoken to, and nothing ever goes in the clear.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use truc::amqp::{Link, Options, OptionsError, State, Tasks, TlsFiles};
use truc::broker::rabbit::{Options as BrokerOptions, Pointers, RabbitBroker};
use truc::domain::time::{Clock, SystemClock};
use truc::identity::pki::{Ca, Existing, Issued, Subject, Validity};
use truc::ledger::sqlite;
use truc::metrics::Metrics;

use crate::node::Node;

struct Authority {
    folder: TempDir,
    ca: Ca,
}

impl Authority {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let ca = Ca::create(folder.path(), SystemClock.now(), Existing::Keep).unwrap();
        Self { folder, ca }
    }

    fn issue(&self, subject: &Subject, days_ago: u64) -> Issued {
        let validity = match days_ago {
            0 => Validity::days(SystemClock.now(), 30),
            _ => {
                let then = SystemClock.now().as_micros() - days_ago as i64 * 86_400_000_000;
                Validity::days(truc::domain::time::Timestamp::from_micros(then), 1)
            }
        };
        self.ca.issue(subject, validity, Existing::Replace).unwrap()
    }

    fn certificate(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.crt")
    }
}

fn server(dns: &[&str], ips: &[&str]) -> Subject {
    Subject::Server {
        dns: dns.iter().map(|&name| name.to_owned()).collect(),
        ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
    }
}

/// Whether a connection comes about; why not, otherwise.
async fn outcome(options: Options) -> Result<(), String> {
    let tasks = Tasks::default();
    let link = Link::start(options, "test", Arc::new(Metrics::unobserved()), &tasks).unwrap();
    let mut state = link.state();
    let decided = state.wait_for(|state| matches!(state, State::Up(_) | State::Down(Some(_))));
    let decided = tokio::time::timeout(Duration::from_secs(10), decided).await.unwrap().unwrap().clone();
    tasks.stopped().await;
    match decided {
        State::Up(_) => Ok(()),
        State::Down(Some(why)) => Err(why.to_string()),
        other => Err(format!("{other:?}")),
    }
}

fn put(issued: &Issued, folder: &Path) {
    std::fs::copy(&issued.certificate, folder.join("server.crt")).unwrap();
    std::fs::copy(&issued.key, folder.join("server.key")).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_is_known_is_spoken_to() {
    let (ours, others) = (Authority::new(), Authority::new());
    let good = ours.issue(&server(&["localhost"], &["127.0.0.1"]), 0);
    let own = ours.issue(&Subject::Operator("gateway".to_owned()), 0);
    let held = TempDir::new().unwrap();
    put(&good, held.path());
    std::fs::copy(ours.certificate(), held.path().join("ca.crt")).unwrap();
    let tls = held.path().to_owned();
    let node = tokio::task::spawn_blocking(move || {
        Node::start_with(|_, port| {
            let tls = tls.display();
            format!(
                "listeners.ssl.1 = 127.0.0.1:{}\nssl_options.cacertfile = {tls}/ca.crt\nssl_options.certfile = {tls}/server.crt\n\
                 ssl_options.keyfile = {tls}/server.key\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n",
                port + 3
            )
        })
    });
    let node = Arc::new(node.await.unwrap());
    let uri = format!("amqps://127.0.0.1:{}", node.port + 3);
    let with = |ca: &Authority| Options {
        uris: vec![uri.clone()],
        tls: Some(TlsFiles { ca: ca.certificate(), own: Some((own.certificate.clone(), own.key.clone())) }),
        ..node.options()
    };
    assert_eq!(outcome(with(&ours)).await, Ok(()));
    let unknown = outcome(with(&others)).await.unwrap_err();
    assert!(unknown.contains("UnknownIssuer"), "{unknown}");
    let nameless = Options { tls: Some(TlsFiles { ca: ours.certificate(), own: None }), ..with(&ours) };
    assert!(outcome(nameless).await.is_err(), "RabbitMQ wants a certificate too");
    // The port without TLS does not answer to a handshake.
    let plain = Options { uris: vec![format!("amqps://127.0.0.1:{}", node.port)], ..with(&ours) };
    assert!(outcome(plain).await.is_err());
    for (subject, days_ago, expected) in [
        (server(&["localhost"], &["127.0.0.1"]), 10, "certificate expired"),
        (server(&["elsewhere.example.vn"], &["127.0.0.9"]), 0, "not valid for name"),
    ] {
        put(&ours.issue(&subject, days_ago), held.path());
        let cleared = Arc::clone(&node);
        tokio::task::spawn_blocking(move || cleared.ctl(&["eval", "ssl:clear_pem_cache()."])).await.unwrap();
        let why = outcome(with(&ours)).await.unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
    tokio::task::spawn_blocking(move || drop(node)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_in_the_clear() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("amqps://{}", listener.local_addr().unwrap());
    let without = Options { uris: vec![uri.clone()], ..Options::default() };
    // Without an authority it does not even start.
    let folder = TempDir::new().unwrap();
    let policy = truc::domain::delivery::Policy {
        attempts_max: 5,
        retry_delay_min: Duration::from_secs(1),
        retry_delay_max: Duration::from_secs(60),
        retry_jitter: 0.0,
        prompt_attempts: 2,
        acknowledged_by: truc::domain::duty::AcknowledgedBy::Delivery,
    };
    let options = sqlite::Options {
        path: folder.path().join("ledger.db"),
        commit_batch_max: 1,
        commit_bytes_max: 1 << 20,
        queue_max: 1,
        readers: 1,
        mailbox_deliveries_max: 1,
        outbox: true,
        policy,
    };
    let metrics = Arc::new(Metrics::unobserved());
    let (ledger, _commits) = sqlite::SqliteLedger::open(&options, Arc::clone(&metrics)).unwrap();
    let options = BrokerOptions { connection: without.clone(), ..BrokerOptions::default() };
    let started = RabbitBroker::start(options, Arc::new(ledger), Arc::new(Pointers), metrics);
    assert!(matches!(started, Err(OptionsError::NoCa { .. })));
    // With one, the first byte is that of a TLS handshake.
    let ours = Authority::new();
    let tls = Some(TlsFiles { ca: ours.certificate(), own: None });
    let trying = tokio::spawn(outcome(Options { tls, connect_timeout: Duration::from_secs(1), ..without }));
    let (mut client, _) = listener.accept().await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), 0x16);
    drop((client, listener));
    assert!(trying.await.unwrap().is_err());
}
