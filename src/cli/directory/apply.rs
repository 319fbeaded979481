//! `truc directory apply`: makes the changes of a file, as a whole or not at all.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Place;
use super::audit::{APPLIED, APPLYING, Entry};
use super::plan::{effect_object, effects, work_out};
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::words::{Lang, Word};
use crate::cli::{block_on, control, files, tables};
use crate::config::Config;
use crate::ops::control::RELOAD;

/// Make the changes of a file / Áp dụng thay đổi
///
/// As a whole or not at all: the file `directory.changes` is replaced, `directory.audit` tells who did it. The node of this machine takes them
/// up at once and moves the mail that waits for organs that have closed; other nodes need the same file, and SIGHUP.
#[derive(Debug, Args)]
pub struct Apply {
    /// The file of changes; `truc directory plan` says what it would do
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    form: Form,
}

impl Apply {
    /// Applies.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form).heedless();
        let config = self.place.config()?;
        let _alone = lock(&config.directory.changes)?;
        self.write(&mut out, &config)?;
        block_on(take_up(&mut out, &config))
    }

    fn write(&self, out: &mut Out, config: &Config) -> Result<(), Exit> {
        let (reform, outcome, bytes) = work_out(&self.file, config)?;
        let directory = &config.directory;
        let entry = Entry {
            file: &reform.file,
            title: &reform.title,
            bytes: &bytes,
            changes: &outcome.changes,
            effects: outcome.effects.iter().map(effect_object).collect(),
        };
        let failed = |path: &Path, error| Exit::Failed(format!("{}: {error}", path.display()));
        entry.append(&directory.audit, APPLYING).map_err(|error| failed(&directory.audit, error))?;
        files::replace(&directory.changes, outcome.changes.as_bytes())
            .map_err(|error| failed(&directory.changes, error))?;
        entry.append(&directory.audit, APPLIED).map_err(|error| failed(&directory.audit, error))?;
        effects(out, &outcome.effects)
    }
}

/// One at a time changes the directory.
fn lock(changes: &Path) -> Result<File, Exit> {
    let mut name = changes.to_owned().into_os_string();
    name.push(".lock");
    let name = PathBuf::from(name);
    let failed = |error: std::io::Error| Exit::Failed(format!("{}: {error}", name.display()));
    if let Some(folder) = name.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let file = File::create(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Exit::Failed("somebody else is changing the directory right now".to_owned()))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Has the node of this machine take up what was written, and tells what became of the mail.
async fn take_up(out: &mut Out, config: &Config) -> Result<(), Exit> {
    let mut moved = Vec::new();
    let asked = control::ask(&config.ops.control, RELOAD, |line| moved.push(line.to_owned())).await?;
    if !asked {
        out.object(&json!({ "type": "gateway", "asked": false }))?;
        return out.text(out.word(Word::NoGatewayTakesUp));
    }
    let heads = [Word::OrganId, Word::DocumentsGoTo, Word::Redirected, Word::InFlight];
    let mut table = tables::framed(out.lang(), &heads);
    for line in moved {
        let words: Vec<&str> = line.split(' ').collect();
        let [organ, to, deliveries, in_flight] = words[..] else {
            return Err(Exit::Failed(format!("the node says what this program does not know: {line}")));
        };
        let number = |text: &str| text.parse::<u64>().map_err(Exit::failed);
        out.object(&json!({
            "type": "mail",
            "organ": organ,
            "to": (to != "-").then_some(to),
            "deliveries": number(deliveries)?,
            "in_flight": number(in_flight)?,
        }))?;
        let to = if to == "-" { out.word(Word::Dead) } else { to };
        table.add_row([organ, to, deliveries, in_flight]);
    }
    out.text(table)
}
