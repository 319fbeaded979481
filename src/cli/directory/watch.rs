//! `truc directory watch`: the directory of a gateway, then its changes as they come.

use clap::Args;
use serde_json::json;

use crate::cli::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::signals::stop_asked;
use crate::cli::tables::Rows;
use crate::cli::words::{Lang, Word};
use crate::cli::{block_on, json as objects};
use crate::client::{Agency, CallError};
use crate::proto::v1;

const COLUMNS: [(Word, u16); 5] = [
    (Word::OrganId, 14),
    (Word::OrganName, 40),
    (Word::ClosedSince, 12),
    (Word::Successors, 14),
    (Word::LegalBasis, 20),
];

/// Follow the directory of a gateway / Theo dõi danh bạ
///
/// From the beginning or from a cursor on: all organs or those that differ, then each change as it comes, until interrupted.
#[derive(Debug, Args)]
pub struct Watch {
    /// Only what has changed since this version, as an earlier run ended with
    #[arg(long, value_name = "CURSOR", default_value = "")]
    cursor: String,
    /// End with the version there is
    #[arg(long)]
    until_now: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Watch {
    /// Follows.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        block_on(async {
            let agency = self.connection.agency().await?;
            tokio::select! {
                shown = self.show(&agency, &mut out) => shown,
                stopped = stop_asked() => stopped,
            }
        })
    }

    /// After an interruption it goes on where it was.
    async fn show(&self, agency: &Agency, out: &mut Out) -> Result<(), Exit> {
        let (mut rows, mut cursor, mut failed) = (Rows::new(&COLUMNS), self.cursor.clone(), 0);
        loop {
            let before = cursor.clone();
            let error = match self.follow(agency, &mut cursor, &mut rows, out).await? {
                Ok(()) if self.until_now => return Ok(()),
                Ok(()) => CallError::stream_ended(),
                Err(error) => error,
            };
            failed = if cursor == before { failed + 1 } else { 1 };
            match agency.patience().delay(&error, failed, fastrand::f64()) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(Exit::failed(error)),
            }
        }
    }

    async fn follow(
        &self,
        agency: &Agency,
        cursor: &mut String,
        rows: &mut Rows,
        out: &mut Out,
    ) -> Result<Result<(), CallError>, Exit> {
        let request = v1::WatchRequest { cursor: cursor.clone(), until_now: self.until_now };
        let mut pages = match agency.watch_directory(request).await {
            Ok(pages) => pages,
            Err(error) => return Ok(Err(error)),
        };
        loop {
            match pages.next().await {
                Ok(Some(page)) => {
                    show(&page, rows, out)?;
                    if !page.cursor.is_empty() {
                        *cursor = page.cursor;
                    }
                }
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
}

fn show(page: &v1::WatchResponse, rows: &mut Rows, out: &mut Out) -> Result<(), Exit> {
    for organ in &page.organs {
        out.object(&objects::organ(organ))?;
        let row = [
            &organ.organ_id,
            &organ.name,
            &organ.close_date,
            &organ.successors.join(", "),
            &organ.legal_basis,
        ];
        rows.write(out, row.map(String::clone).to_vec())?;
    }
    for removed in &page.removed_organ_ids {
        out.object(&json!({ "type": "removed", "organ_id": removed }))?;
        out.text(format_args!("- {removed}"))?;
    }
    if page.cursor.is_empty() {
        return Ok(());
    }
    out.object(&json!({ "type": "version", "cursor": page.cursor }))?;
    out.text(format_args!("{} {}", out.word(Word::Version), page.cursor))
}
