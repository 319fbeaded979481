//! `truc directory show` and `resolve`: the organs of the files, and where documents go by them.

use clap::Args;
use serde_json::{Value, json};
use time::Date;
use time::macros::format_description;

use super::{Place, today};
use crate::app;
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::tables;
use crate::cli::words::{Lang, Word};
use crate::directory::{Directory, Organ, Resolution};
use crate::domain::organ_id::OrganId;

/// Show the organs of the files / Xem danh bạ
#[derive(Debug, Args)]
pub struct Show {
    /// Only this organ and those below it
    #[arg(value_name = "ORGAN")]
    organ: Option<OrganId>,
    /// As a directory file
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    form: Form,
}

/// Say where documents to an organ go, by the files / Tra nơi nhận theo danh bạ
#[derive(Debug, Args)]
pub struct Resolve {
    /// The organ id, H02 or 000.00.00.H02
    #[arg(value_name = "ORGAN")]
    organ: OrganId,
    /// On this day of Vietnam time, YYYY-MM-DD [default: today]
    #[arg(long, value_name = "DAY", value_parser = day)]
    on: Option<Date>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    form: Form,
}

fn day(text: &str) -> Result<Date, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| "write YYYY-MM-DD".to_owned())
}

impl Show {
    /// Shows.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let directory = app::read_directory(&self.place.config()?.directory).map_err(Exit::usage)?;
        let among =
            |organ: &&Organ| self.organ.as_ref().is_none_or(|top| organ.id == *top || organ.id.is_below(top));
        let organs: Vec<&Organ> = directory.organs().iter().filter(among).collect();
        if self.csv {
            return out.text(Directory::to_csv(organs).trim_end());
        }
        let heads = [Word::OrganId, Word::OrganName, Word::ClosedSince, Word::Successors, Word::LegalBasis];
        let mut table = tables::framed(lang, &heads);
        for organ in organs {
            out.object(&object(organ))?;
            let closed = organ.close_date.map(|day| day.to_string()).unwrap_or_default();
            table.add_row([
                organ.id.to_string(),
                organ.name_on(today()).to_owned(),
                closed,
                ids(&organ.successors),
                organ.legal_basis.to_string(),
            ]);
        }
        out.text(table)
    }
}

impl Resolve {
    /// Resolves.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let config = self.place.config()?;
        let directory = app::read_directory(&config.directory).map_err(Exit::usage)?;
        let day = self.on.unwrap_or_else(today);
        let resolution = directory.resolve(&self.organ, day);
        let destination = resolution.destination(app::ambiguity(&config));
        let legal_basis = resolution.legal_basis().to_owned();
        let (word, state, candidates, handler) = match resolution {
            Resolution::Open(_) => (Word::Open, "open", Vec::new(), None),
            Resolution::Redirected { .. } => (Word::Redirected, "redirected", Vec::new(), None),
            Resolution::Ambiguous { candidates, default, .. } => {
                (Word::Ambiguous, "ambiguous", candidates, default)
            }
            Resolution::Closed { .. } => (Word::Closed, "closed", Vec::new(), None),
            Resolution::Unknown { near } => (Word::Unknown, "unknown", near, None),
        };
        out.object(&json!({
            "type": "resolution",
            "asked": self.organ.to_string(),
            "day": day.to_string(),
            "resolution": state,
            "organ": destination.map(|organ| organ.id.to_string()),
            "legal_basis": (!legal_basis.is_empty()).then_some(&legal_basis),
            "candidates": candidates.iter().map(|organ| organ.id.to_string()).collect::<Vec<_>>(),
            "default_successor": handler.map(|organ| organ.id.to_string()),
        }))?;
        let named = |organ: &Organ| format!("{} {}", organ.id, organ.name_on(day));
        out.text(tables::facts(
            lang,
            [
                (Word::OrganId, self.organ.to_string()),
                (Word::Day, day.to_string()),
                (Word::State, word.text(lang).to_owned()),
                (Word::DocumentsGoTo, destination.map(named).unwrap_or_default()),
                (Word::LegalBasis, legal_basis),
                (
                    Word::Candidates,
                    candidates.iter().map(|organ| named(organ)).collect::<Vec<_>>().join("; "),
                ),
                (Word::Handler, handler.map(named).unwrap_or_default()),
            ],
        ))
    }
}

fn ids(organs: &[OrganId]) -> String {
    organs.iter().map(OrganId::as_str).collect::<Vec<_>>().join(", ")
}

fn object(organ: &Organ) -> Value {
    json!({
        "type": "organ",
        "organ_id": organ.id.to_string(),
        "name": organ.name_on(today()),
        "open_date": organ.open_date.map(|day| day.to_string()),
        "close_date": organ.close_date.map(|day| day.to_string()),
        "successors": organ.successors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "default_successor": organ.default_successor.as_ref().map(ToString::to_string),
        "legal_basis": &*organ.legal_basis,
        "link": organ.link.as_str(),
    })
}
