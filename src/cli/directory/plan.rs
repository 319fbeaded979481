//! `truc directory plan`: what a reform would do, to organs, links and the mail that waits.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Place, today};
use crate::app;
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::words::{Lang, Word};
use crate::cli::{block_on, control, tables};
use crate::config::Config;
use crate::directory::reform::{Effect, Outcome, Reform};
use crate::directory::{Forecast, Mail};
use crate::domain::organ_id::OrganId;
use crate::ops::control::MAILBOXES;

/// Say what a file of changes would do / Xem trước thay đổi
///
/// Which organs change, how their systems are attached, and what would become of the mail that waits for those that close, as
/// the node of this machine has it. Changes nothing.
#[derive(Debug, Args)]
pub struct Plan {
    /// The file of changes
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    form: Form,
}

impl Plan {
    /// Plans.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let config = self.place.config()?;
        let (_, outcome, _) = work_out(&self.file, &config)?;
        effects(&mut out, &outcome.effects)?;
        let Some(mail) = block_on(waiting(&config.ops.control))? else {
            out.object(&json!({ "type": "gateway", "asked": false }))?;
            return out.text(out.word(Word::NoGatewayAsked));
        };
        let forecasts = outcome.directory.forecast(&mail, today(), app::ambiguity(&config));
        forecasts.iter().try_for_each(|forecast| out.object(&object(forecast)))?;
        let mut table = tables::framed(
            lang,
            &[Word::OrganId, Word::Day, Word::DocumentsGoTo, Word::Waiting, Word::InFlight, Word::Candidates],
        );
        for forecast in &forecasts {
            table.add_row([
                forecast.organ.to_string(),
                forecast.day.to_string(),
                forecast.to.as_ref().map_or_else(|| out.word(Word::Dead).to_owned(), ToString::to_string),
                forecast.deliveries.to_string(),
                forecast.in_flight.to_string(),
                ids(&forecast.candidates),
            ]);
        }
        out.text(table)
    }
}

/// The file, what it makes of the directory, and its bytes.
pub fn work_out(file: &Path, config: &Config) -> Result<(Reform, Outcome, Vec<u8>), Exit> {
    let (reform, bytes) = Reform::read(file).map_err(Exit::usage)?;
    let outcome = reform.apply(&config.directory.files, &config.directory.changes).map_err(Exit::usage)?;
    Ok((reform, outcome, bytes))
}

/// Says what each change does to each organ.
pub fn effects(out: &mut Out, effects: &[Effect]) -> Result<(), Exit> {
    let lang = out.lang();
    let heads = [
        Word::Sequence,
        Word::Change,
        Word::OrganId,
        Word::Day,
        Word::OtherOrgans,
        Word::Link,
        Word::LegalBasis,
    ];
    let mut table = tables::framed(lang, &heads);
    for effect in effects {
        out.object(&effect_object(effect))?;
        table.add_row([
            effect.change.to_string(),
            effect.kind.as_str().to_owned(),
            effect.organ.to_string(),
            effect.day.to_string(),
            ids(&effect.others),
            effect.link.as_str().to_owned(),
            effect.legal_basis.clone(),
        ]);
    }
    out.text(table)
}

/// One effect as JSON.
pub fn effect_object(effect: &Effect) -> Value {
    json!({
        "type": "change",
        "change": effect.change,
        "do": effect.kind.as_str(),
        "organ": effect.organ.to_string(),
        "day": effect.day.to_string(),
        "others": effect.others.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "link": effect.link.as_str(),
        "legal_basis": effect.legal_basis,
    })
}

/// What waits, as the node of this machine says; none when there is no node.
async fn waiting(socket: &Path) -> Result<Option<Vec<Mail>>, Exit> {
    let mut mail = Vec::new();
    let mut strange = None;
    let asked = control::ask(socket, MAILBOXES, |line| match mailbox(line) {
        Some(one) => mail.push(one),
        None => strange = Some(line.to_owned()),
    });
    let asked = asked.await?;
    match strange {
        Some(line) => Err(Exit::Failed(format!("the node says what this program does not know: {line}"))),
        None => Ok(asked.then_some(mail)),
    }
}

fn mailbox(line: &str) -> Option<Mail> {
    let mut words = line.split(' ');
    let organ = OrganId::parse(words.next()?).ok()?;
    let mut number = || words.next()?.parse().ok();
    Some(Mail { organ, waiting: number()?, dead: number()?, in_flight: number()? })
}

fn object(forecast: &Forecast) -> Value {
    json!({
        "type": "mail",
        "organ": forecast.organ.to_string(),
        "day": forecast.day.to_string(),
        "to": forecast.to.as_ref().map(ToString::to_string),
        "candidates": forecast.candidates.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "legal_basis": forecast.legal_basis,
        "deliveries": forecast.deliveries,
        "in_flight": forecast.in_flight,
    })
}

fn ids(organs: &[OrganId]) -> String {
    organs.iter().map(OrganId::as_str).collect::<Vec<_>>().join(", ")
}
