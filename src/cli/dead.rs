//! `truc dead`: deliveries that cannot go on by themselves.

use clap::{Args, Subcommand, ValueEnum};

use super::exit::Exit;
use super::words::Lang;
use crate::proto::v1;

mod decide;
mod list;

/// Look at and decide about dead letters / Văn bản không giao được
///
/// With an operator's certificate, which `truc pki issue --operator` makes.
#[derive(Debug, Args)]
pub struct Dead {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Show(list::Show),
    Replay(decide::Replay),
    Discard(decide::Discard),
}

impl Dead {
    /// Does it.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        match self.command {
            Command::List(list) => list.run(lang),
            Command::Show(show) => show.run(lang),
            Command::Replay(replay) => replay.run(lang),
            Command::Discard(discard) => discard.run(lang),
        }
    }
}

/// Which dead letters are meant.
#[derive(Debug, Args)]
struct Filter {
    /// Only those for this organ
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    /// Only those that are dead for this cause
    #[arg(long, value_enum)]
    cause: Option<Cause>,
}

/// Why a delivery is dead.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cause {
    /// Offered as often as allowed
    AttemptsExhausted,
    /// The recipient has closed, and nobody or several took over
    RecipientClosed,
}

impl Filter {
    fn is_given(&self) -> bool {
        self.organ.is_some() || self.cause.is_some()
    }

    fn written(self) -> v1::DeadLetterFilter {
        let cause = match self.cause {
            None => v1::DeliveryCause::Unspecified,
            Some(Cause::AttemptsExhausted) => v1::DeliveryCause::AttemptsExhausted,
            Some(Cause::RecipientClosed) => v1::DeliveryCause::RecipientClosed,
        };
        v1::DeadLetterFilter { organ: self.organ.unwrap_or_default(), cause: cause.into() }
    }
}
