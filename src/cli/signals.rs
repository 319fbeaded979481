//! Being told to stop.

use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;

/// Resolves at the first SIGINT or SIGTERM. From the moment it is first polled neither ends the process by itself.
pub async fn stop_asked() -> Result<(), Exit> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Exit::failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Exit::failed)?;
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}
