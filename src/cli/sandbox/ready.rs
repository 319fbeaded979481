//! Waiting until the gateway says it is ready, the way anybody else would ask.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cli::exit::Exit;

const TIMEOUT: Duration = Duration::from_secs(10);
const ASK_INTERVAL: Duration = Duration::from_millis(50);

/// Returns once `/readyz` answers 200; fails with what it says when it does not for long.
pub async fn wait(ops: SocketAddr) -> Result<(), Exit> {
    let mut last = "no answer".to_owned();
    let ready = async {
        loop {
            match ask(ops).await {
                Ok(answer) if answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200") => return,
                Ok(answer) => last = answer,
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(ASK_INTERVAL).await;
        }
    };
    match tokio::time::timeout(TIMEOUT, ready).await {
        Ok(()) => Ok(()),
        Err(_) => Err(Exit::Failed(format!("the gateway did not become ready: {last}"))),
    }
}

async fn ask(ops: SocketAddr) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(ops).await?;
    connection.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer)
}
