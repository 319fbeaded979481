//! `truc amqp`: what an operator does for agencies attached by AMQP.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::words::Lang;
use crate::config::{self, Config};

mod dossiers;
mod parked;
mod users;

/// Look after agencies attached by AMQP / Quản lý các bên nối qua RabbitMQ
///
/// Works with the RabbitMQ of a gateway's configuration.
#[derive(Debug, Args)]
pub struct Amqp {
    #[command(subcommand)]
    command: AmqpCommand,
}

#[derive(Debug, Subcommand)]
enum AmqpCommand {
    Users(users::Users),
    Parked(parked::ParkedArgs),
    Dossiers(dossiers::DossiersArgs),
}

/// Which gateway's RabbitMQ.
#[derive(Debug, Args)]
struct Where {
    /// Configuration file of the gateway; without one, the defaults hold
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl Where {
    fn config(&self) -> Result<Config, Exit> {
        Config::load(self.config.as_deref(), config::environment()).map_err(Exit::usage)
    }
}

impl Amqp {
    /// Does it.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        match self.command {
            AmqpCommand::Users(users) => users.run(),
            AmqpCommand::Parked(parked) => parked.run(lang),
            AmqpCommand::Dossiers(dossiers) => dossiers.run(lang),
        }
    }
}
