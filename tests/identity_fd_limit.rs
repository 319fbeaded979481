//! A machine out of file descriptors: the listener waits and goes on. In a process of its own, for the limit is the
//! process's.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket};
use truc::domain::time::{Clock, SystemClock};
use truc::identity::accept::{AcceptLimits, Acceptor};
use truc::identity::client::{ClientFiles, ClientTls, connect};
use truc::identity::pki::{Ca, Existing, Subject, Validity};
use truc::identity::tls::{ServerTls, TlsFiles};
use truc::metrics::Metrics;

#[tokio::test]
async fn accepting_goes_on_after_the_descriptors_ran_out() {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemClock.now();
    let ca = Ca::create(dir.path(), now, Existing::Keep).unwrap();
    let issue = |subject| ca.issue(&subject, Validity::days(now, 1), Existing::Keep).unwrap();
    let server = issue(Subject::Server { dns: vec!["localhost".into()], ips: vec![] });
    let operator = issue(Subject::Operator("lan".into()));
    let client_ca = ca.certificate_path();
    let files =
        TlsFiles { certificate: server.certificate, key: server.key, client_ca, crls: vec![], tls12: false };
    let tls =
        Arc::new(ServerTls::load(files, Arc::new(SystemClock), Arc::new(Metrics::unobserved())).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut incoming = Acceptor::new(tls, AcceptLimits::default()).incoming(listener);

    let waiting = TcpSocket::new_v4().unwrap();
    let usual = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), maximum: usual.maximum }).unwrap();
    let mut waiting = waiting.connect(address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(TcpSocket::new_v4().is_err(), "the limit holds");
    setrlimit(Resource::Nofile, usual).unwrap();
    waiting.write_all(b"not TLS").await.unwrap();

    let paths =
        ClientFiles { ca: ca.certificate_path(), certificate: operator.certificate, key: operator.key };
    let client = ClientTls::load(&paths).unwrap();
    let endpoint = format!("https://localhost:{}", address.port());
    let (channel, conn) = tokio::join!(connect(&endpoint, &client), incoming.next());
    channel.unwrap();
    assert_eq!(conn.unwrap().unwrap().peer().role.to_string(), "operator lan");
}
