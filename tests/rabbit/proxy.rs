//! A proxy that does to a connection what networks do.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What happens to what goes through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    None,
    /// Nothing goes through, and nothing is closed.
    BlackHole,
    /// What is connected is reset, and so is whatever connects.
    Reset,
    /// Each piece comes so much later.
    Late(Duration),
    /// So many bytes a second.
    Trickle(usize),
    /// RabbitMQ's side is closed; the other side is not told.
    HalfOpen,
}

/// The proxy. Dropped, it is gone with all connections.
pub struct Proxy {
    pub address: SocketAddr,
    fault: watch::Sender<Fault>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fault, state) = watch::channel(Fault::None);
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(client, port, state.clone()));
            }
        });
        Self { address, fault, accepting }
    }

    pub fn uri(&self) -> String {
        format!("amqp://{}", self.address)
    }

    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(client: TcpStream, port: u16, mut state: watch::Receiver<Fault>) {
    if *state.borrow() == Fault::Reset {
        return reset(&client);
    }
    let silent = |fault: &Fault| matches!(fault, Fault::BlackHole | Fault::HalfOpen);
    let Ok(_) = state.wait_for(|fault| !silent(fault)).await else { return };
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return reset(&client) };
    let socket = socket2::SockRef::from(&client).try_clone().unwrap();
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut passing = JoinSet::new();
    passing.spawn(pass(from_client, to_server, state.clone()));
    passing.spawn(pass(from_server, to_client, state.clone()));
    let met = tokio::select! {
        met = state.wait_for(|fault| matches!(fault, Fault::Reset | Fault::HalfOpen)) => met.map(|met| *met).ok(),
        _ = passing.join_next() => None,
    };
    if met == Some(Fault::Reset) {
        // Whatever is unsent is thrown away, and the other side is told so.
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
    passing.shutdown().await;
    if met == Some(Fault::HalfOpen) {
        // The client's socket stays open here until the fault is over, and a while longer.
        let _ended = state.wait_for(|fault| *fault != Fault::HalfOpen).await.is_ok();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

fn reset(client: &TcpStream) {
    socket2::SockRef::from(client).set_linger(Some(Duration::ZERO)).unwrap();
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<Fault>) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
        let Ok(_) = state.wait_for(|fault| *fault != Fault::BlackHole).await else { return };
        let fault = *state.borrow();
        let piece = match fault {
            Fault::Late(by) => {
                tokio::time::sleep(by).await;
                read
            }
            Fault::Trickle(bytes_per_s) => bytes_per_s / 10,
            _ => read,
        };
        for piece in buffer[..read].chunks(piece) {
            if matches!(*state.borrow(), Fault::Trickle(_)) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            if to.write_all(piece).await.is_err() {
                return;
            }
        }
    }
}
