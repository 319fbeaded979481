//! `truc dossier show` and `truc dossier list`.

use clap::Args;

use super::texts;
use crate::cli::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::tables::{self, Rows};
use crate::cli::words::{Lang, Word};
use crate::cli::{block_on, times};
use crate::domain::limits::LIST_PAGE_MAX;
use crate::portal;
use crate::proto::v1;

/// Show one dossier and its steps / Xem một hồ sơ
#[derive(Debug, Args)]
pub struct Show {
    /// The dossier, for example 000.00.14.H20-200703-0002
    #[arg(value_name = "DOSSIER")]
    dossier: String,
    /// Write the dossier in the portal's JSON (DongBoHoSoMC)
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    portal: bool,
    /// The organ that asks [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Show {
    /// Shows it.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut form = self.form;
        form.json |= self.portal;
        let mut out = Out::new(lang, form);
        let request =
            v1::GetDossierRequest { organ: self.organ.unwrap_or_default(), dossier_code: self.dossier };
        let found = self.connection.call(async |agency| agency.dossier(request).await)?;
        let dossier = found.dossier.clone().unwrap_or_default();
        if self.portal {
            return out.object(&portal::dossier(&dossier, &found.events));
        }
        out.object(&texts::dossier_json(&dossier))?;
        found.events.iter().try_for_each(|event| out.object(&texts::event(event)))?;
        found.readers.iter().try_for_each(|reader| out.object(&texts::reader(reader)))?;
        out.text(facts(lang, &dossier))?;
        out.text(timeline(lang, &found.events))?;
        match found.readers.as_slice() {
            [] => Ok(()),
            readers => out.text(seen(lang, readers)),
        }
    }
}

fn facts(lang: Lang, dossier: &v1::Dossier) -> String {
    let overdue =
        if dossier.overdue { format!(" ({})", Word::DossierOverdue.text(lang)) } else { String::new() };
    let due = times::short(dossier.due_time.as_ref());
    tables::facts(
        lang,
        [
            (Word::DossierCode, dossier.dossier_code.clone()),
            (Word::Organs, dossier.owner.clone()),
            (Word::Procedure, dossier.procedure_code.clone()),
            (Word::BusinessStatus, texts::status(dossier.status, lang)),
            (Word::DossierDue, if due.is_empty() { due } else { due + &overdue }),
            (Word::MissingSteps, texts::steps(&dossier.missing_steps)),
        ],
    )
}

fn timeline(lang: Lang, events: &[v1::DossierEvent]) -> impl std::fmt::Display {
    let heads = [Word::Step, Word::Time, Word::BusinessStatus, Word::Department, Word::Note, Word::Remark];
    let mut table = tables::framed(lang, &heads);
    for event in events {
        let step = event.step.clone().unwrap_or_default();
        let held = (event.position == 0).then(|| Word::StepHeld.text(lang).to_owned());
        let flags = Some(texts::flags(event.flags(), lang)).filter(|flags| !flags.is_empty());
        table.add_row([
            step.step.to_string(),
            times::short(step.occurred_time.as_ref()),
            texts::step_status(&step, lang),
            step.actor.clone().unwrap_or_default().department,
            step.note.clone(),
            held.into_iter().chain(flags).collect::<Vec<_>>().join(", "),
        ]);
    }
    table
}

fn seen(lang: Lang, readers: &[v1::DossierReader]) -> impl std::fmt::Display {
    let mut table = tables::framed(lang, &[Word::Organs, Word::Consumer, Word::SeenStep]);
    for reader in readers {
        table.add_row([reader.organ.clone(), reader.consumer.clone(), reader.step.to_string()]);
    }
    table
}

const COLUMNS: [(Word, u16); 5] = [
    (Word::DossierCode, 26),
    (Word::BusinessStatus, 30),
    (Word::Step, 6),
    (Word::DossierDue, 24),
    (Word::MissingSteps, 12),
];

/// List the dossiers of an organ and those below it / Liệt kê hồ sơ
#[derive(Debug, Args)]
pub struct List {
    /// Dossiers of this organ and those below it [default: the organ itself]
    #[arg(long, value_name = "ORGAN")]
    of: Option<String>,
    /// Only those that should have been done and are not
    #[arg(long)]
    overdue: bool,
    /// The organ that asks [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl List {
    /// Lists them.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let mut request = v1::ListDossiersRequest {
            organ: self.organ.unwrap_or_default(),
            at_or_below: self.of.unwrap_or_default(),
            overdue_only: self.overdue,
            page_size: LIST_PAGE_MAX,
            page_token: String::new(),
        };
        let mut rows = Rows::new(&COLUMNS);
        block_on(async {
            let agency = self.connection.agency().await?;
            loop {
                let page = agency.list_dossiers(request.clone()).await.map_err(Exit::failed)?;
                for dossier in &page.dossiers {
                    out.object(&texts::dossier_json(dossier))?;
                    rows.write(
                        &mut out,
                        vec![
                            dossier.dossier_code.clone(),
                            texts::status(dossier.status, lang),
                            dossier.last_step.to_string(),
                            times::short(dossier.due_time.as_ref()),
                            texts::steps(&dossier.missing_steps),
                        ],
                    )?;
                }
                if page.next_page_token.is_empty() {
                    return Ok(());
                }
                request.page_token = page.next_page_token;
            }
        })
    }
}
