//! A link to the server that is cut exactly around a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How a commit is said on the wire.
const COMMIT: &[u8] = b"COMMIT\0";

/// Cuts a part of the links on which a commit goes by: half of them before the server has it, half before its answer is back.
pub struct Proxy {
    pub port: u16,
    pub cuts: Arc<Cuts>,
}

/// How many links were cut, before and behind a commit.
#[derive(Default)]
pub struct Cuts {
    pub before: AtomicUsize,
    pub behind: AtomicUsize,
    /// Nothing is cut until this is set.
    pub begun: AtomicBool,
}

impl Proxy {
    pub async fn start(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts: Arc<Cuts> = Arc::default();
        let counted = Arc::clone(&cuts);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&counted)));
            }
        });
        Self { port, cuts }
    }
}

async fn carry(mut client: TcpStream, mut server: TcpStream, cuts: Arc<Cuts>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(read @ 1..) = read else { return };
                let said = &asked[..read];
                let commit = said.windows(COMMIT.len()).any(|word| word == COMMIT);
                let cut = commit && cuts.begun.load(Ordering::Relaxed) && fastrand::u8(..10) < 3;
                if cut && fastrand::bool() {
                    cuts.before.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                if server.write_all(said).await.is_err() {
                    return;
                }
                if cut {
                    // The server does it; nobody hears of it.
                    let _read = server.read(&mut answered).await;
                    cuts.behind.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(read @ 1..) = read else { return };
                if client.write_all(&answered[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
