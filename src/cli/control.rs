//! Giving orders to the node of this machine, by its control socket.

use std::io;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::exit::Exit;
use crate::ops::control::DONE;

/// Gives an order, and what is answered line by line to `line`. False when no node answers there.
pub async fn ask(socket: &Path, order: &str, mut line: impl FnMut(&str)) -> Result<bool, Exit> {
    let mut stream = match UnixStream::connect(socket).await {
        Ok(stream) => stream,
        Err(error) if is_nobody(&error) => return Ok(false),
        Err(error) => return Err(Exit::Failed(format!("{}: {error}", socket.display()))),
    };
    stream.write_all(format!("{order}\n").as_bytes()).await.map_err(Exit::failed)?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(said) = lines.next_line().await.map_err(Exit::failed)? {
        if said == DONE {
            return Ok(true);
        }
        if let Some(why) = said.strip_prefix("refused: ") {
            return Err(Exit::Failed(format!("the node refused to {order}: {why}")));
        }
        line(&said);
    }
    Err(Exit::Failed(format!("the node ended before it was done with: {order}")))
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
