//! `truc dossier follow`: the events an organ may see, from a place on.

use std::path::PathBuf;

use clap::Args;

use super::texts;
use crate::cli::connection::Connection;
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::signals::stop_asked;
use crate::cli::tables::Rows;
use crate::cli::words::{Lang, Word};
use crate::cli::{block_on, files, times};
use crate::client::{Agency, CallError};
use crate::portal;
use crate::proto::v1;

const COLUMNS: [(Word, u16); 7] = [
    (Word::Sequence, 8),
    (Word::Time, 24),
    (Word::DossierCode, 26),
    (Word::Step, 6),
    (Word::BusinessStatus, 30),
    (Word::Department, 16),
    (Word::Remark, 14),
];

/// Show the steps of dossiers in the order of the log / Theo dõi tiến độ hồ sơ
///
/// Those of the organ's own dossiers and of others it may follow, from the first, or from a place on.
#[derive(Debug, Args)]
pub struct Follow {
    /// Go on after the events shown last; the place is kept in this file, which is made if missing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["consumer", "since", "from_now"])]
    cursor_file: Option<PathBuf>,
    /// Go on where this consumer stands; the gateway keeps its place
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// Which share of the consumer's dossiers, and of how many: 0/4 [default: all]
    #[arg(long, value_name = "SHARE", requires = "consumer", value_parser = share)]
    share: Option<(u32, u32)>,
    /// Begin with what was shown since then, for example 2026-01-31T09:30:00+07:00
    #[arg(long, value_name = "TIME", value_parser = times::parse)]
    since: Option<prost_types::Timestamp>,
    /// Begin with what is shown from now on
    #[arg(long, conflicts_with = "since")]
    from_now: bool,
    /// End when all there is has been shown
    #[arg(long)]
    until_now: bool,
    #[command(flatten)]
    filter: Filter,
    /// Write each step in the portal's JSON (CapNhatTienDoHoSoMC), one object a line
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    portal: bool,
    /// The organ that follows [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

/// Which events.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which events")]
struct Filter {
    /// Only dossiers of this organ and those below it; may be given several times
    #[arg(long, value_name = "ORGAN")]
    of: Vec<String>,
    /// Only this procedure; may be given several times
    #[arg(long, value_name = "CODE")]
    procedure: Vec<String>,
    /// Only steps with this status, 1 to 10; may be given several times
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..=10))]
    status: Vec<i32>,
    /// Only the organ's own dossiers
    #[arg(long)]
    own: bool,
}

fn share(text: &str) -> Result<(u32, u32), String> {
    let parts = text.split_once('/').and_then(|(share, of)| Some((share.parse().ok()?, of.parse().ok()?)));
    parts.filter(|(share, of)| share < of).ok_or_else(|| "write a share as 0/4, counted from 0".to_owned())
}

impl Follow {
    /// Shows them.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut form = self.form;
        form.json |= self.portal;
        let mut out = Out::new(lang, form);
        block_on(async {
            let mut request = self.request()?;
            let agency = self.connection.agency().await?;
            tokio::select! {
                shown = self.show(&agency, &mut request, &mut out) => shown,
                stopped = stop_asked() => stopped,
            }
        })
    }

    fn request(&self) -> Result<v1::SubscribeRequest, Exit> {
        let consumer = self.consumer.clone().map(|consumer| {
            let (share, shares) = self.share.unwrap_or((0, 1));
            v1::ConsumerShare { consumer, share, shares }
        });
        Ok(v1::SubscribeRequest {
            organ: self.organ.clone().unwrap_or_default(),
            filter: Some(v1::DossierFilter {
                at_or_below: self.filter.of.clone(),
                procedure_codes: self.filter.procedure.clone(),
                statuses: self.filter.status.clone(),
                own_only: self.filter.own,
            }),
            cursor: self.cursor_file.as_deref().map_or(Ok(String::new()), files::read_cursor)?,
            from_time: self.since,
            from_now: self.from_now,
            consumer,
            until_now: self.until_now,
        })
    }

    async fn show(
        &self,
        agency: &Agency,
        request: &mut v1::SubscribeRequest,
        out: &mut Out,
    ) -> Result<(), Exit> {
        let mut rows = Rows::new(&COLUMNS);
        let mut failed = 0;
        loop {
            let before = request.cursor.clone();
            let error = match self.pages(agency, request, &mut rows, out).await {
                Ok(None) => return Ok(()),
                Ok(Some(error)) => error,
                Err(exit) => return Err(exit),
            };
            failed = if request.cursor == before { failed + 1 } else { 1 };
            match agency.patience().delay(&error, failed, fastrand::f64()) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(Exit::failed(error)),
            }
        }
    }

    /// Shows what comes until the stream ends; gives why it broke off.
    async fn pages(
        &self,
        agency: &Agency,
        request: &mut v1::SubscribeRequest,
        rows: &mut Rows,
        out: &mut Out,
    ) -> Result<Option<CallError>, Exit> {
        let mut pages = match agency.follow_dossiers(request.clone()).await {
            Ok(pages) => pages,
            Err(error) => return Ok(Some(error)),
        };
        loop {
            let page = match pages.next().await {
                Ok(Some(page)) => page,
                Ok(None) if self.until_now => return Ok(None),
                // What is followed has no end.
                Ok(None) => return Ok(Some(CallError::stream_ended())),
                Err(error) => return Ok(Some(error)),
            };
            for event in &page.events {
                self.show_one(event, rows, out)?;
            }
            // Kept after it is shown: shown twice is better than never.
            if let Some(file) = &self.cursor_file {
                let kept = files::replace(file, format!("{}\n", page.cursor).as_bytes());
                kept.map_err(|error| Exit::Failed(format!("{}: {error}", file.display())))?;
            }
            request.cursor = page.cursor;
            if request.consumer.is_some() {
                let (organ, consumer) = (request.organ.clone(), request.consumer.clone());
                let commit = v1::CommitCursorRequest { organ, consumer, cursor: request.cursor.clone() };
                if let Err(error) = agency.commit_cursor(commit).await {
                    return Ok(Some(error));
                }
            }
        }
    }

    fn show_one(&self, event: &v1::DossierEvent, rows: &mut Rows, out: &mut Out) -> Result<(), Exit> {
        out.object(&if self.portal { portal::progress(event) } else { texts::event(event) })?;
        let (lang, step) = (out.lang(), event.step.clone().unwrap_or_default());
        let row = vec![
            event.position.to_string(),
            times::short(step.occurred_time.as_ref()),
            event.dossier_code.clone(),
            step.step.to_string(),
            texts::step_status(&step, lang),
            step.actor.clone().unwrap_or_default().department,
            texts::flags(event.flags(), lang),
        ];
        rows.write(out, row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_counted_from_0() {
        assert_eq!(share("0/4"), Ok((0, 4)));
        for bad in ["", "4/4", "1", "a/b", "-1/4", "0/0"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
