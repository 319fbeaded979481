//! `truc directory`: the directory as files and configuration have it, and its changes.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::words::Lang;
use crate::config::{self, Config};
use crate::directory::vietnam_day;
use crate::domain::time::{Clock, SystemClock};

mod apply;
mod audit;
mod plan;
mod show;
mod watch;

/// Look at and change the directory / Danh bạ cơ quan
///
/// All but `watch` work on the files a configuration names, on the machine of a node.
#[derive(Debug, Args)]
pub struct Directory {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Show),
    Resolve(show::Resolve),
    Plan(plan::Plan),
    Apply(apply::Apply),
    Watch(watch::Watch),
}

/// The configuration a command works on.
#[derive(Debug, Args)]
pub struct Place {
    /// The node's configuration file; without one, the defaults hold
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    fn config(&self) -> Result<Config, Exit> {
        Config::load(self.config.as_deref(), config::environment()).map_err(Exit::usage)
    }
}

impl Directory {
    /// Does it.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        match self.command {
            Command::Show(show) => show.run(lang),
            Command::Resolve(resolve) => resolve.run(lang),
            Command::Plan(plan) => plan.run(lang),
            Command::Apply(apply) => apply.run(lang),
            Command::Watch(watch) => watch.run(lang),
        }
    }
}

/// The day it is in Vietnam.
fn today() -> time::Date {
    vietnam_day(SystemClock.now())
}
