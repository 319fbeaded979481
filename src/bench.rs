//! The load generator: drives gateways with many organs at once, checks every document, and sets the figures beside those of
//! raw RabbitMQ in the same run. Clients are processes of their own; each measurement is one [`round`].

mod amqp;
mod backing;
mod client;
mod clients;
mod deployment;
mod desk;
mod documents;
mod dossiers;
mod error;
mod exchange;
mod faults;
mod gateway;
mod latency;
mod machine;
mod mailboxes;
mod meter;
mod month;
pub mod options;
mod pace;
mod part;
pub mod plan;
mod postgres;
mod process;
mod received;
mod report;
mod roll;
mod round;
mod sent;
mod set_up;
mod sizes;
mod stalled;
mod verdict;
mod waiting;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub use client::run as run_client;
pub use clients::COMMAND as CLIENT_COMMAND;
pub use dossiers::LogLoad;
pub use error::Error;
pub use options::{Load, Options, Subject};
pub use report::Report;
pub use set_up::SetUp;

/// Puts a secret into a file of a folder that nobody else can read.
fn secret(folder: &Path, name: &str, text: &str) -> Result<PathBuf, Error> {
    let path = folder.join(name);
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(Error::system(path.display()))?;
    Ok(path)
}

/// Measures.
pub async fn run(options: &Options) -> Result<Report, Error> {
    options.check()?;
    match options.subject {
        Subject::Exchange => Ok(Report::Exchange(Box::new(exchange::measure(options).await?))),
        Subject::Waiting(waiting) => Ok(Report::Waiting(Box::new(waiting::measure(options, waiting).await?))),
        Subject::Stalled(stalled) => Ok(Report::Stalled(Box::new(stalled::measure(options, stalled).await?))),
        Subject::Dossiers(load) => Ok(Report::Dossiers(Box::new(dossiers::measure(options, load).await?))),
        Subject::Month(scale) => Ok(Report::Month(Box::new(month::measure(options, scale).await?))),
        Subject::Mailboxes(mailboxes) => {
            Ok(Report::Mailboxes(Box::new(mailboxes::measure(options, mailboxes).await?)))
        }
    }
}
