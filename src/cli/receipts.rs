//! `truc receipts`: what became of everything an organ sent, from a cursor on.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::connection::Connection;
use super::exit::Exit;
use super::files;
use super::out::{Form, Out};
use super::signals::stop_asked;
use super::tables::{self, Rows};
use super::words::{Lang, Word};
use super::{block_on, json, times};
use crate::client::{Agency, CallError};
use crate::proto::v1;

const COLUMNS: [(Word, u16); 7] = [
    (Word::Sequence, 6),
    (Word::Time, 24),
    (Word::Message, 37),
    (Word::Event, 22),
    (Word::Organs, 12),
    (Word::AssertedBy, 12),
    (Word::Reason, 10),
];

/// Show the receipts of what was sent / Xem biên nhận
///
/// Of all messages an organ sent, in order, from the first or from a cursor on.
#[derive(Debug, Args)]
pub struct Receipts {
    /// Go on after the receipts shown last; the place is kept in this file, which is made if missing
    #[arg(long, value_name = "FILE")]
    cursor_file: Option<PathBuf>,
    /// Go on showing receipts as they come, until interrupted
    #[arg(long)]
    follow: bool,
    /// Write each business status as an edXML file into this folder, which is made if missing: NUMBER.edxml
    #[arg(long, value_name = "DIR")]
    status_files: Option<PathBuf>,
    /// The organ that sent the messages [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    organ: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Receipts {
    /// Shows them.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        block_on(async {
            let cursor = self.cursor_file.as_deref().map_or(Ok(String::new()), files::read_cursor)?;
            let agency = self.connection.agency().await?;
            tokio::select! {
                shown = self.show(&agency, cursor, &mut out) => shown,
                stopped = stop_asked() => stopped,
            }
        })
    }

    async fn show(&self, agency: &Agency, mut cursor: String, out: &mut Out) -> Result<(), Exit> {
        let mut rows = Rows::new(&COLUMNS);
        let mut failed = 0;
        loop {
            let before = cursor.clone();
            let error = match self.pages(agency, &mut cursor, &mut rows, out).await {
                Ok(()) => return Ok(()),
                Err(Interrupted::Exit(exit)) => return Err(exit),
                Err(Interrupted::Call(error)) => error,
            };
            failed = if cursor == before { failed + 1 } else { 1 };
            match agency.patience().delay(&error, failed, fastrand::f64()) {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(Exit::failed(error)),
            }
        }
    }

    async fn pages(
        &self,
        agency: &Agency,
        cursor: &mut String,
        rows: &mut Rows,
        out: &mut Out,
    ) -> Result<(), Interrupted> {
        let request = v1::WatchReceiptsRequest {
            organ: self.organ.clone().unwrap_or_default(),
            cursor: cursor.clone(),
            until_now: !self.follow,
        };
        let mut pages = agency.watch_receipts(request).await?;
        while let Some(page) = pages.next().await? {
            for receipt in &page.receipts {
                if let Some(folder) = &self.status_files {
                    self.write_status(agency, receipt, folder).await?;
                }
                show_one(receipt, rows, out)?;
            }
            // Kept after it is shown: shown twice is better than never.
            if let Some(file) = &self.cursor_file {
                let kept = files::replace(file, format!("{}\n", page.cursor).as_bytes());
                kept.map_err(|error| Exit::Failed(format!("{}: {error}", file.display())))?;
            }
            *cursor = page.cursor;
        }
        // Receipts that are followed have no end.
        if self.follow { Err(CallError::stream_ended().into()) } else { Ok(()) }
    }

    async fn write_status(
        &self,
        agency: &Agency,
        receipt: &v1::Receipt,
        folder: &Path,
    ) -> Result<(), Interrupted> {
        if receipt.kind() != v1::ReceiptKind::Status {
            return Ok(());
        }
        let number = receipt.sender_sequence;
        let organ = self.organ.clone().unwrap_or_default();
        let request = v1::GetStatusFileRequest { organ, sender_sequence: number };
        let status = agency.status_file(request).await?;
        let path = folder.join(format!("{number}.edxml"));
        let written = fs::create_dir_all(folder).and_then(|()| files::replace(&path, &status.file));
        Ok(written.map_err(|error| Exit::Failed(format!("{}: {error}", path.display())))?)
    }
}

enum Interrupted {
    Exit(Exit),
    Call(CallError),
}

impl From<Exit> for Interrupted {
    fn from(exit: Exit) -> Self {
        Self::Exit(exit)
    }
}

impl From<CallError> for Interrupted {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

fn show_one(receipt: &v1::Receipt, rows: &mut Rows, out: &mut Out) -> Result<(), Exit> {
    out.object(&json::receipt(receipt))?;
    let lang = out.lang();
    let row = vec![
        receipt.sender_sequence.to_string(),
        times::short(receipt.time.as_ref()),
        receipt.message_id.clone(),
        tables::event(lang, receipt),
        tables::organs(receipt),
        tables::asserter(lang, receipt),
        tables::reason(lang, receipt),
    ];
    rows.write(out, row)
}
