//! What happens to connections, open and new, while certificates change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use truc::domain::time::Clock;
use truc::domain::time::SystemClock;
use truc::identity::Error;
use truc::identity::accept::AcceptLimits;
use truc::identity::pki::{Existing, Revoke, Validity};
use truc::identity::tls::Rechecked;

use crate::support::{DAY, Door, greet, server_subject, until, within_patience};

#[tokio::test]
async fn a_reload_closes_what_was_revoked_at_once_and_nothing_else() {
    let door = Door::new();
    let (kept, revoked) = (door.organ("H49"), door.organ("H50"));
    let tls = door.tls();
    let address = greet(&tls, AcceptLimits::default()).await;
    let mut kept_line = door.caller(&kept).dial(address).await.unwrap();
    let mut one = door.caller(&revoked).dial(address).await.unwrap();
    let mut two = door.caller(&revoked).dial(address).await.unwrap();
    assert!(one.works().await && two.works().await);

    door.ca.revoke(Revoke::Certificate(&revoked.certificate), SystemClock.now()).unwrap();
    let asked = Instant::now();
    assert_eq!(tls.reload().unwrap(), Rechecked { kept: 1, cut: 2 });
    one.closed().await;
    two.closed().await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    assert!(kept_line.works().await);
    assert!(door.caller(&revoked).dial(address).await.is_err());
    until(|| tls.connections() == 1).await;
}

#[tokio::test]
async fn a_certificate_that_expires_takes_its_connection_along() {
    let door = Door::new();
    let (long, short) = (door.organ("H49"), door.organ_valid("H50", Validity::days(SystemClock.now(), 2)));
    let tls = door.tls();
    let address = greet(&tls, AcceptLimits::default()).await;
    let mut long = door.caller(&long).dial(address).await.unwrap();
    let mut short = door.caller(&short).dial(address).await.unwrap();
    assert_eq!(tls.recheck(), Rechecked { kept: 2, cut: 0 });
    door.clock.put_forward(DAY * 3);
    assert!(!tls.refresh().unwrap(), "no file has changed");
    short.closed().await;
    assert!(long.works().await);
}

#[tokio::test]
async fn a_new_server_certificate_is_for_new_connections_and_the_old_ones_stay() {
    let door = Door::new();
    let caller = door.caller(&door.organ("H49"));
    let tls = door.tls();
    let address = greet(&tls, AcceptLimits::default()).await;
    let mut old = caller.dial(address).await.unwrap();
    let renewed = door.ca.issue(&server_subject(), Door::year(), Existing::Replace).unwrap();
    assert_ne!(old.server_serial(), renewed.serial);
    assert_ne!(caller.dial(address).await.unwrap().server_serial(), renewed.serial);
    assert!(tls.refresh().unwrap());
    assert_eq!(caller.dial(address).await.unwrap().server_serial(), renewed.serial);
    assert!(old.works().await);
    assert!(!tls.refresh().unwrap());
}

#[tokio::test]
async fn a_ca_that_is_withdrawn_takes_its_connections_along() {
    let (door, successor) = (Door::new(), Door::new());
    let caller = door.caller(&door.organ("H49"));
    let tls = door.tls();
    let address = greet(&tls, AcceptLimits::default()).await;
    let mut line = caller.dial(address).await.unwrap();
    std::fs::copy(successor.ca.certificate_path(), &door.files.client_ca).unwrap();
    assert_eq!(tls.reload().unwrap(), Rechecked { kept: 0, cut: 1 });
    line.closed().await;
}

#[tokio::test]
async fn a_reload_that_fails_changes_nothing() {
    let door = Door::new();
    let caller = door.caller(&door.organ("H49"));
    let tls = door.tls();
    let address = greet(&tls, AcceptLimits::default()).await;
    let mut line = caller.dial(address).await.unwrap();
    std::fs::copy(door.dir.path().join("H49.key"), &door.files.key).unwrap();
    assert!(matches!(tls.reload(), Err(Error::KeyMismatch { .. })));
    std::fs::write(door.ca.crl_path(), "half a fi").unwrap();
    assert!(matches!(tls.refresh(), Err(Error::KeyMismatch { .. })));
    std::fs::remove_file(door.ca.crl_path()).unwrap();
    assert!(matches!(tls.reload(), Err(Error::Unreadable { .. })));
    assert!(line.works().await);
    assert!(caller.dial(address).await.is_ok());
}

#[tokio::test]
async fn following_the_files_finds_what_was_revoked() {
    let door = Door::new();
    let revoked = door.organ("H50");
    let tls = door.tls();
    let address = greet(&tls, AcceptLimits::default()).await;
    let following = tokio::spawn(Arc::clone(&tls).follow(Duration::from_millis(20)));
    let mut line = door.caller(&revoked).dial(address).await.unwrap();
    let list = std::fs::read(door.ca.crl_path()).unwrap();
    std::fs::write(door.ca.crl_path(), "half a fi").unwrap();
    assert!(line.works().await);
    std::fs::write(door.ca.crl_path(), list).unwrap();
    door.ca.revoke(Revoke::Serial(&revoked.serial), SystemClock.now()).unwrap();
    within_patience(line.closed()).await;
    following.abort();
}
