//! The edXML files behind statuses, for senders that speak edXML: as their reporter wrote them, or made of what was reported otherwise.

use std::collections::HashMap;
use std::sync::Arc;

use super::office::Office;
use crate::delivery::Dispatch;
use crate::domain::message::MessageId;
use crate::domain::receipt::{Receipt, ReceiptKind};
use crate::intake::status_file;
use crate::ledger::{self, StatusFile};
use crate::proto::{convert, v1};

/// Documents of which it is kept in mind whether they are edXML, so that not each of their receipts asks the ledger.
const DOCUMENTS_MAX: usize = 256;

/// The status files of one sender.
pub struct StatusFiles {
    office: Arc<Office>,
    dispatch: Arc<Dispatch>,
    /// The headers of documents; none for what was not submitted as an edXML file.
    headers: HashMap<MessageId, Option<Arc<v1::DocumentHeader>>>,
}

impl StatusFiles {
    /// Nothing is known yet.
    pub fn new(office: Arc<Office>, dispatch: Arc<Dispatch>) -> Self {
        Self { office, dispatch, headers: HashMap::new() }
    }

    /// The file that follows a receipt; none where there is none to follow it, or it is purged.
    pub async fn of(&mut self, receipt: &Receipt) -> Result<Option<v1::StatusFile>, ledger::Error> {
        if receipt.kind != ReceiptKind::Status {
            return Ok(None);
        }
        let Some(header) = self.header(receipt).await? else { return Ok(None) };
        let kept = self.dispatch.ledger.status_file(&receipt.sender, receipt.sender_sequence).await?;
        let original = kept.is_some();
        let file = match kept {
            Some(StatusFile::Kept(file)) => Some(file),
            Some(StatusFile::Purged) => None,
            None => {
                status_file::made(receipt, &self.office.directory.load(), &header).map(|file| file.into())
            }
        };
        Ok(file.map(|file| v1::StatusFile {
            sender_sequence: receipt.sender_sequence,
            message_id: receipt.message_id.to_string(),
            file,
            original,
        }))
    }

    async fn header(&mut self, receipt: &Receipt) -> Result<Option<Arc<v1::DocumentHeader>>, ledger::Error> {
        if let Some(known) = self.headers.get(&receipt.message_id) {
            return Ok(known.clone());
        }
        let story = self.dispatch.ledger.track(&receipt.sender, &receipt.message_id).await?;
        let envelope = story.map(|(record, _)| convert::envelope(&record.message, record.payload_bytes));
        let header = envelope
            .filter(|envelope| envelope.format() == v1::PayloadFormat::Edxml)
            .map(|envelope| Arc::new(envelope.header.unwrap_or_default()));
        if self.headers.len() >= DOCUMENTS_MAX {
            self.headers.clear();
        }
        self.headers.insert(receipt.message_id.clone(), header.clone());
        Ok(header)
    }
}
