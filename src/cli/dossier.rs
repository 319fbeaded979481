//! `truc dossier`: steps of dossiers, published, followed and compared.

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::words::Lang;

mod compare;
mod consumers;
mod follow;
mod publish;
mod show;
mod texts;

/// Publish and follow the steps of dossiers / Trạng thái hồ sơ
#[derive(Debug, Args)]
pub struct Dossier {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Publish(publish::Publish),
    Follow(follow::Follow),
    Show(show::Show),
    List(show::List),
    Consumers(consumers::Consumers),
    Compare(compare::Compare),
}

impl Dossier {
    /// Runs the command.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        match self.command {
            Command::Publish(publish) => publish.run(lang),
            Command::Follow(follow) => follow.run(lang),
            Command::Show(show) => show.run(lang),
            Command::List(list) => list.run(lang),
            Command::Consumers(consumers) => consumers.run(lang),
            Command::Compare(compare) => compare.run(lang),
        }
    }
}
