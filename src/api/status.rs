//! Reporting business statuses.

use super::Api;
use super::caller::{Caller, Speaker};
use crate::domain::refusal::{Reason, Refusal};
use crate::intake::{fields, ledger_failed, reports, status_file};
use crate::ledger::StatusFile;
use crate::proto::{convert, v1};

impl Api {
    /// Reports statuses of deliveries.
    pub async fn report_status(
        &self,
        caller: Caller,
        request: v1::ReportStatusRequest,
    ) -> Result<v1::ReportStatusResponse, Refusal> {
        let Speaker { by, organ } = self.speaker(caller, &request.organ, "organ")?;
        let written = reports::read(request.reports)?;
        let answers = self.desk.report(&organ, &by, written).await;
        let answers = answers.map_err(|error| ledger_failed(&error))?;
        Ok(v1::ReportStatusResponse { results: reports::results(answers) })
    }

    /// A status of a sender's log as an edXML file.
    pub async fn status_file(
        &self,
        caller: Caller,
        request: v1::GetStatusFileRequest,
    ) -> Result<v1::GetStatusFileResponse, Refusal> {
        let Speaker { organ, .. } = self.speaker(caller, &request.organ, "organ")?;
        let number = request.sender_sequence;
        if number == 0 {
            return Err(fields::missing("sender_sequence"));
        }
        let ledger = &self.dispatch.ledger;
        let failed = |error| ledger_failed(&error);
        match ledger.status_file(&organ, number).await.map_err(failed)? {
            Some(StatusFile::Kept(file)) => return Ok(v1::GetStatusFileResponse { file, original: true }),
            Some(StatusFile::Purged) => return Err(file_purged()),
            None => {}
        }
        let receipt = ledger.receipts(&organ, number - 1, 1).await.map_err(failed)?.pop();
        let receipt = receipt.filter(|receipt| receipt.sender_sequence == number).ok_or_else(no_status)?;
        let story = ledger.track(&organ, &receipt.message_id).await.map_err(failed)?;
        let (record, _) = story.ok_or_else(no_status)?;
        let header = convert::envelope(&record.message, record.payload_bytes).header.unwrap_or_default();
        let file = status_file::made(&receipt, &self.directory.load(), &header).ok_or_else(no_status)?;
        Ok(v1::GetStatusFileResponse { file: file.into(), original: false })
    }
}

fn file_purged() -> Refusal {
    Refusal::new(Reason::PayloadPurged, "the file the status was reported in is purged")
        .field("sender_sequence")
        .hint("the receipt says what was reported; files are kept as long as the document's payload")
}

fn no_status() -> Refusal {
    Refusal::new(Reason::MessageNotFound, "the organ's log has no status of this number")
        .field("sender_sequence")
        .hint("give the sender_sequence of a receipt of kind status, as WatchReceipts and Track show it")
}
