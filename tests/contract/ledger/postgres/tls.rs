//! The connection to the database is encrypted and the server is who it must be, or there is no connection.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use truc::domain::time::{Clock, SystemClock};
use truc::identity::pki::{Ca, Existing, Subject, Validity};
use truc::ledger::postgres::{Host, OpenError, Options, PostgresLedger, Tls};

use super::{Postgres, Server, script, unobserved};
use crate::ledger::Terms;
use crate::support::soon;

/// A server with a certificate for `localhost`, and the authority it is from.
async fn encrypted() -> ([TempDir; 2], PathBuf, Postgres) {
    let [folder, authority] = [(); 2].map(|()| TempDir::new().unwrap());
    let now = SystemClock.now();
    let ca = Ca::create(authority.path(), now, Existing::Keep).unwrap();
    let subject = Subject::Server { dns: vec!["localhost".into()], ips: vec![] };
    let issued = ca.issue(&subject, Validity::days(now, 1), Existing::Keep).unwrap();
    std::fs::copy(&issued.certificate, folder.path().join("server.crt")).unwrap();
    std::fs::copy(&issued.key, folder.path().join("server.key")).unwrap();
    let server: &'static Server = Box::leak(Box::new(Server::start(folder.path())));
    let place = Postgres::on(server, Terms::default()).await;
    server.say("postgres", "CREATE ROLE tls_user SUPERUSER LOGIN PASSWORD 'Bí mật 1'").await;
    ([folder, authority], ca.certificate_path(), place)
}

fn refused(opened: Result<(PostgresLedger, truc::ledger::Commits), OpenError>) -> String {
    opened.map(drop).unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_the_one_the_certificate_names() {
    let ([folder, _authority], ca, place) = encrypted().await;
    let password = folder.path().join("password");
    std::fs::write(&password, "Bí mật 1\n").unwrap();
    let options = Options {
        hosts: vec![Host { name: "localhost".into(), port: place.server.port }],
        user: "tls_user".into(),
        password_file: Some(password.clone()),
        tls: Tls::Verified { ca: ca.clone(), identity: None },
        ..place.options("tls").await
    };
    let (ledger, _commits) = PostgresLedger::open(&options, unobserved()).await.unwrap();
    let all_encrypted = "DO $$ BEGIN ASSERT (SELECT count(*) >= 2 AND bool_and(s.ssl) FROM pg_stat_ssl s
        JOIN pg_stat_activity a USING (pid) WHERE a.usename = 'tls_user'); END $$";
    place.server.say("postgres", all_encrypted).await;
    drop(ledger);

    let wrong_name = Options {
        hosts: vec![Host { name: "127.0.0.1".into(), ..options.hosts[0].clone() }],
        ..options.clone()
    };
    let why = refused(PostgresLedger::open(&wrong_name, unobserved()).await);
    assert!(why.contains("NotValidForName") || why.contains("not valid for"), "{why}");

    let stranger = tempfile::tempdir().unwrap();
    let stranger = Ca::create(stranger.path(), SystemClock.now(), Existing::Keep).unwrap();
    let tls = Tls::Verified { ca: stranger.certificate_path(), identity: None };
    let why = refused(PostgresLedger::open(&Options { tls, ..options.clone() }, unobserved()).await);
    assert!(why.contains("certificate"), "{why}");

    std::fs::write(&password, "another").unwrap();
    let why = refused(PostgresLedger::open(&options, unobserved()).await);
    assert!(why.contains("password authentication failed"), "{why}");
    assert!(script(&["stop", folder.path().to_str().unwrap()]));
}

/// A server without TLS is told nothing: no user, no password, no statement.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_is_told_nothing() {
    let ([folder, _authority], ca, place) = encrypted().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut asked = [0; 8];
        connection.read_exact(&mut asked).await.unwrap();
        connection.write_all(b"N").await.unwrap();
        let mut told = Vec::new();
        connection.read_to_end(&mut told).await.unwrap();
        told
    });
    let options = Options {
        hosts: vec![Host { name: "localhost".into(), port }],
        tls: Tls::Verified { ca, identity: None },
        ..place.options("tls").await
    };
    let why = refused(PostgresLedger::open(&options, unobserved()).await);
    assert!(why.contains("does not support TLS"), "{why}");
    assert_eq!(soon(served).await.unwrap(), b"");

    let elsewhere = Options { hosts: vec![Host { name: "10.0.0.7".into(), port }], tls: Tls::Off, ..options };
    let opened = PostgresLedger::open(&elsewhere, unobserved()).await;
    assert!(matches!(opened.map(drop), Err(OpenError::Plaintext { host }) if host.starts_with("10.0.0.7")));
    assert!(script(&["stop", folder.path().to_str().unwrap()]));
}
