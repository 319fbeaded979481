//! Many callers, silent ones among them, and the limits.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use truc::identity::accept::AcceptLimits;

use crate::support::{Door, PATIENCE, greet, listen, until, within_patience};

#[tokio::test]
async fn silent_callers_time_out_and_hold_up_nobody() {
    let door = Door::new();
    let caller = door.caller(&door.organ("H49"));
    let limit = Duration::from_millis(200);
    let address = greet(&door.tls(), AcceptLimits { handshake_timeout: limit, ..Default::default() }).await;
    let asked = Instant::now();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let others = join_all((0..50).map(|_| async {
        // A handshake may exceed so short a limit when 50 share a busy machine; a refusal is not what is tested.
        let deadline = Instant::now() + PATIENCE;
        loop {
            match caller.dial(address).await {
                Ok(line) => break line,
                Err(e) => assert!(Instant::now() < deadline, "{e}"),
            }
        }
    }));
    let (timed_out, others) = tokio::join!(within_patience(silent.read_u8()), others);
    assert!(timed_out.is_err(), "closed without a word");
    assert!(asked.elapsed() >= limit);
    assert_eq!(others.len(), 50);
}

#[tokio::test]
async fn silent_callers_that_take_every_slot_are_given_less_time() {
    let door = Door::new();
    let caller = door.caller(&door.organ("H49"));
    let limit = Duration::from_secs(5);
    let limits = AcceptLimits { handshake_timeout: limit, handshakes_max: 4, ..Default::default() };
    let tls = door.tls();
    let address = greet(&tls, limits).await;
    let asked = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    // The fourth of them to be accepted found most slots taken, and so gives its slot back early.
    assert!(caller.dial(address).await.is_ok());
    assert!(asked.elapsed() < limit);
}

#[tokio::test]
async fn connections_are_limited_in_all_and_per_certificate() {
    let door = Door::new();
    let (h49, h50, h51) = (door.organ("H49"), door.organ("H50"), door.organ("H51"));
    let limits =
        AcceptLimits { connections_max: 3, connections_per_certificate_max: 2, ..Default::default() };
    let tls = door.tls();
    let address = greet(&tls, limits).await;
    let first = door.caller(&h49).dial(address).await.unwrap();
    let second = door.caller(&h49).dial(address).await.unwrap();
    assert!(door.caller(&h49).dial(address).await.is_err());
    let third = door.caller(&h50).dial(address).await.unwrap();
    assert!(door.caller(&h51).dial(address).await.is_err());
    drop(first);
    until(|| tls.connections() == 2).await;
    let fourth = door.caller(&h51).dial(address).await.unwrap();
    drop((second, third, fourth));
    until(|| tls.connections() == 0).await;
}

#[tokio::test]
async fn dropping_the_connections_closes_the_listener() {
    let door = Door::new();
    let (address, incoming) = listen(&door.tls(), AcceptLimits::default()).await;
    let mut waiting = TcpStream::connect(address).await.unwrap();
    drop(incoming);
    assert!(within_patience(waiting.read_u8()).await.is_err());
    within_patience(async { while TcpStream::connect(address).await.is_ok() {} }).await;
}
