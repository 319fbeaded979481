//! `truc drain`: takes a node out of service without a failed call.

use std::path::{Path, PathBuf};

use clap::Args;

use super::control;
use super::exit::Exit;
use crate::config::{self, Config};
use crate::ops::control::{DONE, DRAIN};

/// Take a node out of service / Rút một nút khỏi dịch vụ
///
/// The node says that it is not ready, ends its streams with a hint to connect elsewhere, and makes ready again what they held.
/// Single calls are still answered. Returns when no stream is left; then the node can be stopped. Runs on the node's machine, as
/// the user the node runs as.
#[derive(Debug, Args)]
pub struct Drain {
    /// The node's configuration file; without one, the defaults hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Drain {
    /// Drains.
    pub fn run(self) -> Result<(), Exit> {
        let config = Config::load(self.config.as_deref(), config::environment()).map_err(Exit::usage)?;
        super::block_on(drain(&config.ops.control))
    }
}

async fn drain(socket: &Path) -> Result<(), Exit> {
    match control::ask(socket, DRAIN, say).await? {
        true => {
            say(DONE);
            Ok(())
        }
        false => Err(Exit::Failed(format!("no node answers at {} (ops.control)", socket.display()))),
    }
}

#[expect(clippy::print_stdout, reason = "the answer of the command")]
fn say(line: &str) {
    println!("{line}");
}
