//! `truc serve`: a gateway until it is told to stop.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;
use crate::app::Gateway;
use crate::config::{self, Config};
use crate::domain::time::SystemClock;
use crate::ops::logging;

/// Run a gateway / Chạy cổng liên thông
///
/// SIGTERM or SIGINT stops it in good order, a second one at once; SIGHUP reloads certificates,
/// revocation lists and the directory.
#[derive(Debug, Args)]
pub struct Serve {
    /// Configuration file; without one, the defaults hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Serve {
    /// Serves.
    pub fn run(self) -> Result<(), Exit> {
        let config = Config::load(self.config.as_deref(), config::environment()).map_err(Exit::usage)?;
        logging::start(&config.log).map_err(Exit::usage)?;
        let runtime = tokio::runtime::Runtime::new().map_err(Exit::failed)?;
        runtime.block_on(serve(&config))
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn serve(config: &Config) -> Result<(), Exit> {
    let mut signals = Signals::listen().map_err(Exit::failed)?;
    let mut gateway = Gateway::start(config, Arc::new(SystemClock)).await.map_err(Exit::failed)?;
    let Signals { terminate, interrupt, hang_up } = &mut signals;
    let failed = loop {
        tokio::select! {
            _ = terminate.recv() => break None,
            _ = interrupt.recv() => break None,
            _ = hang_up.recv() => {
                if let Err(error) = gateway.reload() {
                    tracing::error!(%error, "not everything was reloaded; what was not stays as it was");
                }
            }
            why = gateway.failed() => break Some(why),
        }
    };
    if let Some(why) = failed {
        return Err(Exit::Failed(why));
    }
    let stopped = tokio::select! {
        in_time = gateway.stop() => in_time,
        () = signals.stop() => return Err(Exit::Failed("stopped at once by a second signal".to_owned())),
    };
    match stopped {
        true => Ok(()),
        false => Err(Exit::Failed(
            "calls in progress were cut off at the end of gateway.shutdown_grace".to_owned(),
        )),
    }
}
