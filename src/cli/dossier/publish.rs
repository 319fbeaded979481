//! `truc dossier publish`: publishes steps of the portal's JSON.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::texts;
use crate::cli::block_on;
use crate::cli::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::tables::Rows;
use crate::cli::times;
use crate::cli::words::{Lang, Word};
use crate::domain::limits::DOSSIER_STEPS_BATCH_MAX;
use crate::portal::{self, Reading};
use crate::proto::v1;

/// Largest file that is read, bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

const COLUMNS: [(Word, u16); 5] = [
    (Word::DossierCode, 26),
    (Word::Step, 6),
    (Word::State, 12),
    (Word::MissingSteps, 12),
    (Word::Reason, 30),
];

/// Publish steps of dossiers / Công bố các bước xử lý hồ sơ
///
/// The file holds the portal's JSON: one object or a list of them, progress steps (CapNhatTienDoHoSoMC)
/// or dossiers (DongBoHoSoMC), times as yyyyMMddHHmmss at +07:00. Steps are numbered in the order in
/// which they stand, unless SoBuoc says so. Publishing the same file again is safe.
#[derive(Debug, Args)]
pub struct Publish {
    /// The file; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Procedure of steps that name none (MaTTHC)
    #[arg(long, value_name = "CODE")]
    procedure: Option<String>,
    /// Number of the first step of each dossier
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    first_step: u32,
    /// Set of codes the statuses are from [default: the portal's, 1 to 10]
    #[arg(long, value_name = "NAME")]
    code_set: Option<String>,
    /// The organ that publishes [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Publish {
    /// Publishes.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let text = read(&self.file)?;
        let reading =
            Reading { procedure: self.procedure, first_step: self.first_step, code_set: self.code_set };
        let steps = portal::read(&text, &reading).map_err(|error| {
            let told = match lang {
                Lang::Vi => error.vietnamese(),
                Lang::En => error.english(),
            };
            Exit::usage(format_args!("{}: {told}", self.file.display()))
        })?;
        let (organ, connection) = (self.organ.unwrap_or_default(), self.connection);
        let mut rows = Rows::new(&COLUMNS);
        let refused = block_on(async {
            let agency = connection.agency().await?;
            let mut refused = 0;
            for batch in steps.chunks(DOSSIER_STEPS_BATCH_MAX) {
                let request = v1::PublishRequest { organ: organ.clone(), steps: batch.to_vec() };
                let results = agency.publish_steps(request).await.map_err(Exit::failed)?;
                for result in &results {
                    refused += usize::from(result.refusal.is_some());
                    out.object(&texts::result(result))?;
                    rows.write(&mut out, row(result, lang))?;
                }
            }
            Ok(refused)
        })?;
        match refused {
            0 => Ok(()),
            count => Err(Exit::Failed(format!("{count} {}", Word::StepsRefused.text(lang)))),
        }
    }
}

fn read(file: &Path) -> Result<String, Exit> {
    let unreadable = |error| Exit::usage(format_args!("{}: {error}", file.display()));
    let source: Box<dyn Read> = match file.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(std::fs::File::open(file).map_err(unreadable)?),
    };
    let mut text = String::new();
    let bytes = source.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    match bytes as u64 > FILE_BYTES_MAX {
        true => Err(Exit::usage(format_args!("{}: larger than {FILE_BYTES_MAX} bytes", file.display()))),
        false => Ok(text),
    }
}

fn row(result: &v1::PublishResult, lang: Lang) -> Vec<String> {
    let (state, reason) = match &result.refusal {
        Some(refusal) => (Word::Rejected, refusal.message.clone()),
        None if result.repeated_step => (Word::StepRepeated, String::new()),
        None if result.position == 0 => (Word::StepHeld, times::short(result.held_until_time.as_ref())),
        None => (Word::StepShown, texts::flags(result.flags(), lang)),
    };
    vec![
        result.dossier_code.clone(),
        result.step.to_string(),
        state.text(lang).to_owned(),
        texts::steps(&result.missing_steps),
        reason,
    ]
}
