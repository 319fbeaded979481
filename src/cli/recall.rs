//! `truc recall`: takes a document back.

use clap::Args;

use super::connection::Connection;
use super::exit::Exit;
use super::out::{Form, Out};
use super::words::{Lang, Word};
use super::{json, tables, times};
use crate::proto::v1::{self, change_target::Document};

/// Take a document back / Thu hồi văn bản
///
/// From recipients who never were offered it, at once and for good; the others are asked, and answer with
/// `truc status` 15 or 16. Shows which it is for whom.
#[derive(Debug, Args)]
pub struct Recall {
    /// The message id the document was sent with
    #[arg(value_name = "MESSAGE_ID", required_unless_present = "document_id")]
    message_id: Option<String>,
    /// The sender's system's id for the document, in place of a message id
    #[arg(long, value_name = "ID", conflicts_with = "message_id")]
    document_id: Option<String>,
    /// Why, for the recipients
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Take it back from this organ only; once for each, or separated by commas [default: from all]
    #[arg(long, value_name = "ORGAN", value_delimiter = ',')]
    from: Vec<String>,
    /// The sender's own id for the recall; the same again is safe [default: a UUID]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The organ that sent it [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    sender: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Recall {
    /// Recalls.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let document = match (self.message_id, self.document_id) {
            (Some(id), _) => Some(Document::MessageId(id)),
            (None, id) => id.map(Document::DocumentId),
        };
        let request = v1::RecallRequest {
            sender: self.sender.unwrap_or_default(),
            message_id: self.id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string()),
            target: Some(v1::ChangeTarget { document, recipients: self.from }),
            reason: self.reason,
        };
        let acceptance = self.connection.call(async |agency| agency.recall(request).await)?;
        show(&mut out, &acceptance)
    }
}

fn show(out: &mut Out, acceptance: &v1::Acceptance) -> Result<(), Exit> {
    out.object(&json::acceptance(acceptance))?;
    let receipt = acceptance.receipt.clone().unwrap_or_default();
    if acceptance.repeated_submission {
        out.note(out.word(Word::RepeatedSubmission));
    }
    let facts = [
        (Word::Message, receipt.message_id.clone()),
        (Word::AcceptTime, times::short(receipt.time.as_ref())),
    ];
    out.text(tables::facts(out.lang(), facts))?;
    let changed = acceptance.changed.clone().unwrap_or_default();
    out.text(tables::changed(out.lang(), &changed.deliveries))
}
