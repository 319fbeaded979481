//! The control socket: orders to this node from the machine it runs on. Who may give them is decided by the permission of
//! the socket's file.
//!
//! One order a connection, a line of text; the answer is lines of text, the last of which is `done` or begins with `refused`.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The order to drain the node.
pub const DRAIN: &str = "drain";
/// The order to read certificates, revocation lists and the directory again, and to move the mail of organs that have closed. Answers
/// with a line for each of these: the organ, who took over or `-`, deliveries moved, deliveries in flight.
pub const RELOAD: &str = "reload";
/// The order to tell what is open. Answers with a line for each mailbox: the organ, deliveries that wait, dead ones, those in flight.
pub const MAILBOXES: &str = "mailboxes";
/// The last line of an order that was carried out.
pub const DONE: &str = "done";

/// How long an order may take to be written.
const ORDER_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest order, bytes.
const ORDER_BYTES_MAX: u64 = 64;
/// How often it is told how far a drain has come.
const TELL_INTERVAL: Duration = Duration::from_secs(1);

/// What a drain does to a node.
#[derive(Clone, Debug)]
pub struct Draining {
    /// Cancelled: streams end, no new ones begin, and the node says that it is not ready.
    pub drain: CancellationToken,
    /// Ends when the streams have.
    pub streams: TaskTracker,
}

/// What carries out an order: the lines of the answer, or why it is refused.
pub type Carry = Box<dyn Fn() -> BoxFuture<'static, Result<Vec<String>, String>> + Send + Sync>;

/// What carries out each order.
pub struct Orders {
    /// [`DRAIN`].
    pub draining: Draining,
    /// [`RELOAD`].
    pub reload: Carry,
    /// [`MAILBOXES`].
    pub mailboxes: Carry,
}

/// The socket, bound and not yet answering. Its file goes with it.
#[derive(Debug)]
pub struct Control {
    listener: UnixListener,
    path: PathBuf,
}

impl Control {
    /// Takes the path; a socket that a dead process left is replaced. Only the owner may connect.
    pub fn bind(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        if let Ok(found) = std::fs::symlink_metadata(path) {
            if !found.file_type().is_socket() {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "there is a file that is no socket",
                ));
            }
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::Error::new(io::ErrorKind::AddrInUse, "another node answers there"));
            }
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until told to stop, one order at a time.
    pub async fn run(self, orders: Orders, stop: CancellationToken) {
        loop {
            let connection = tokio::select! {
                connection = self.listener.accept() => connection,
                () = stop.cancelled() => return,
            };
            match connection {
                Ok((stream, _)) => tokio::select! {
                    // Whoever asked may have gone; the order is carried out all the same.
                    answered = answer(stream, &orders) => {
                        if let Err(error) = answered {
                            tracing::info!(%error, "an order on the control socket was not answered");
                        }
                    }
                    () = stop.cancelled() => return,
                },
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot take a connection");
                    tokio::time::sleep(TELL_INTERVAL).await;
                }
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket's file was gone already");
        }
    }
}

async fn answer(stream: UnixStream, orders: &Orders) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut order = String::new();
    let mut reader = BufReader::new(read.take(ORDER_BYTES_MAX));
    tokio::time::timeout(ORDER_TIMEOUT, reader.read_line(&mut order)).await??;
    match order.trim() {
        DRAIN => drain(&mut write, &orders.draining).await,
        RELOAD => carry(&mut write, &orders.reload).await,
        MAILBOXES => carry(&mut write, &orders.mailboxes).await,
        _ => {
            let known = [DRAIN, RELOAD, MAILBOXES].join(", ");
            write.write_all(format!("refused: no such order; there are: {known}\n").as_bytes()).await
        }
    }
}

async fn carry(write: &mut OwnedWriteHalf, carry: &Carry) -> io::Result<()> {
    let text = match carry().await {
        Ok(lines) => lines.into_iter().map(|line| line + "\n").collect::<String>() + DONE + "\n",
        Err(why) => format!("refused: {why}\n"),
    };
    write.write_all(text.as_bytes()).await
}

async fn drain(write: &mut OwnedWriteHalf, draining: &Draining) -> io::Result<()> {
    if !draining.drain.is_cancelled() {
        tracing::info!("the node is draining, as ordered");
    }
    draining.drain.cancel();
    draining.streams.close();
    let mut ticks = tokio::time::interval(TELL_INTERVAL);
    loop {
        tokio::select! {
            biased;
            () = draining.streams.wait() => break,
            _ = ticks.tick() => {
                let line = format!("draining: {} streams left\n", draining.streams.len());
                write.write_all(line.as_bytes()).await?;
            }
        }
    }
    tracing::info!("the node is drained");
    write.write_all(format!("{DONE}\n").as_bytes()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn order(path: &Path, order: &str) -> String {
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(order.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        said
    }

    #[tokio::test]
    async fn a_drain_is_done_when_the_streams_have_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/truc.sock");
        let control = Control::bind(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(Control::bind(&path).is_err(), "it is in use");
        let draining = Draining { drain: CancellationToken::new(), streams: TaskTracker::new() };
        let told = draining.drain.clone();
        draining.streams.spawn(async move { told.cancelled().await });
        let stop = CancellationToken::new();
        let lines = || Box::pin(async { Ok(vec!["H02 1 2 3".to_owned()]) }) as BoxFuture<'static, _>;
        let refuses = || Box::pin(async { Err("not now".to_owned()) }) as BoxFuture<'static, _>;
        let orders =
            Orders { draining: draining.clone(), reload: Box::new(refuses), mailboxes: Box::new(lines) };
        let running = tokio::spawn(control.run(orders, stop.clone()));
        assert_eq!(order(&path, "mailboxes\n").await, "H02 1 2 3\ndone\n");
        assert_eq!(order(&path, "reload\n").await, "refused: not now\n");
        assert!(order(&path, "dance\n").await.starts_with("refused"));
        assert!(!draining.drain.is_cancelled());
        assert!(order(&path, "drain\n").await.ends_with("done\n"));
        assert!(draining.drain.is_cancelled() && draining.streams.is_empty());
        assert_eq!(order(&path, "drain\n").await, "done\n", "asked again, it is so already");
        stop.cancel();
        running.await.unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_dead_process_leaves_no_obstacle_and_a_file_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("truc.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(Control::bind(&path).unwrap());
        std::fs::write(&path, b"mine").unwrap();
        assert!(Control::bind(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    }
}
