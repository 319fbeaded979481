//! `truc collect`: takes an organ's documents into files, and settles them.

use std::path::PathBuf;

use clap::Args;

use super::block_on;
use super::connection::Connection;
use super::exit::Exit;
use super::out::{Form, Out};
use super::words::Lang;
use crate::domain::limits::{REASON_CHARS_MAX, WINDOW_MAX};

mod desk;
mod poll;
mod stream;

use desk::Desk;

/// Collect documents / Lấy văn bản về
///
/// Takes what waits for an organ. Each document is written to a file of its own, named after its delivery, and is
/// safe on disk before the gateway is told that it was delivered. Without --once or --max, goes on until interrupted.
#[derive(Debug, Args)]
pub struct Collect {
    /// Folder for the files; made if missing
    #[arg(long, value_name = "DIR", default_value = "received")]
    out: PathBuf,
    /// The organ whose mailbox is served [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    /// Documents held unsettled at a time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=i64::from(WINDOW_MAX)))]
    window: u32,
    /// Take what waits now, and end
    #[arg(long)]
    once: bool,
    /// End after this many documents
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    /// Refuse every document for good, and tell the sender why; the files are written all the same
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reject: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

fn reason(text: &str) -> Result<String, String> {
    match text.trim().is_empty() || text.chars().count() > REASON_CHARS_MAX {
        true => Err(format!("a reason has 1 to {REASON_CHARS_MAX} characters")),
        false => Ok(text.to_owned()),
    }
}

impl Collect {
    /// Collects.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let out = Out::new(lang, self.form);
        std::fs::create_dir_all(&self.out)
            .map_err(|error| Exit::usage(format_args!("{}: {error}", self.out.display())))?;
        let organ = self.organ.unwrap_or_default();
        block_on(async {
            let agency = self.connection.agency().await?;
            let mut desk = Desk::new(self.out, self.reject, self.max, out);
            let collected = match (self.once, self.max) {
                (false, None) => stream::collect(&agency, &organ, self.window, &mut desk).await,
                (once, max) => {
                    let wanted = poll::Wanted { organ, window: self.window, max, once };
                    poll::collect(&agency, &wanted, &mut desk).await
                }
            };
            collected.and(desk.close())
        })
    }
}
