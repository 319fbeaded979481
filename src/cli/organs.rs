//! `truc organs` and `truc resolve`: who takes part, and where a document goes.

use clap::Args;

use super::connection::Connection;
use super::exit::Exit;
use super::out::{Form, Out};
use super::words::{self, Lang, Word};
use super::{block_on, json, tables};
use crate::domain::limits::ORGANS_PAGE_MAX;
use crate::proto::v1;

/// List the organs of the directory / Danh mục cơ quan
#[derive(Debug, Args)]
pub struct Organs {
    /// Only this organ and those below it
    #[arg(long, value_name = "ORGAN")]
    at_or_below: Option<String>,
    /// Closed organs too
    #[arg(long)]
    closed: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

/// Say where documents to an organ go / Tra nơi nhận hiện nay
///
/// To the organ itself, to the one that took over, or nowhere; and by which legal basis.
#[derive(Debug, Args)]
pub struct Resolve {
    /// The organ id, H02 or 000.00.00.H02
    #[arg(value_name = "ORGAN")]
    organ: String,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Organs {
    /// Lists.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        block_on(async {
            let agency = self.connection.agency().await?;
            let heads =
                [Word::OrganId, Word::OrganName, Word::ClosedSince, Word::Successors, Word::LegalBasis];
            let mut table = tables::framed(lang, &heads);
            let mut request = v1::ListOrgansRequest {
                page_size: ORGANS_PAGE_MAX,
                page_token: String::new(),
                at_or_below: self.at_or_below.unwrap_or_default(),
                include_closed: self.closed,
            };
            loop {
                let page = agency.organs(request.clone()).await.map_err(Exit::failed)?;
                for organ in page.organs {
                    out.object(&json::organ(&organ))?;
                    let successors = organ.successors.join(", ");
                    table.add_row([
                        organ.organ_id,
                        organ.name,
                        organ.close_date,
                        successors,
                        organ.legal_basis,
                    ]);
                }
                if page.next_page_token.is_empty() {
                    return out.text(table);
                }
                request.page_token = page.next_page_token;
            }
        })
    }
}

impl Resolve {
    /// Resolves.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let answer = self.connection.call(async |agency| agency.resolve(&self.organ).await)?;
        out.object(&json::resolution(&self.organ, &answer))?;
        let named = |organ: &v1::Organ| format!("{} {}", organ.organ_id, organ.name);
        let state = words::resolution(answer.resolution()).text(lang).to_owned();
        out.text(tables::facts(
            lang,
            [
                (Word::OrganId, self.organ),
                (Word::State, state),
                (Word::DocumentsGoTo, answer.organ.as_ref().map(named).unwrap_or_default()),
                (Word::Path, answer.path.join(" → ")),
                (Word::LegalBasis, answer.legal_basis.clone()),
                (Word::Candidates, answer.candidates.iter().map(named).collect::<Vec<_>>().join("; ")),
            ],
        ))
    }
}
