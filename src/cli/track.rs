//! `truc track`: the whole story of one message.

use clap::Args;

use super::connection::Connection;
use super::exit::Exit;
use super::out::{Form, Out};
use super::words::{self, Lang, Word};
use super::{json, tables, times};
use crate::proto::v1;

/// Show the story of a message / Theo dõi một văn bản
///
/// Its header, where each delivery stands, the timeline of its receipts, and the chain of recalls, updates and
/// replacements it belongs to. For its sender, its recipients and operators.
#[derive(Debug, Args)]
pub struct Track {
    /// The sender's id for the message
    #[arg(value_name = "MESSAGE_ID")]
    message_id: String,
    /// The organ that sent it [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    sender: Option<String>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Track {
    /// Tracks.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let request =
            v1::TrackRequest { sender: self.sender.unwrap_or_default(), message_id: self.message_id };
        let story = self.connection.call(async |agency| agency.track(request).await)?;
        match out.is_json() {
            true => show_json(&mut out, &story),
            false => show_tables(&mut out, &story),
        }
    }
}

fn show_json(out: &mut Out, story: &v1::TrackResponse) -> Result<(), Exit> {
    out.object(&serde_json::json!({
        "type": "message",
        "envelope": story.envelope.as_ref().map(json::envelope),
        "deliveries": story.deliveries.iter().map(json::delivery_status).collect::<Vec<_>>(),
        "lineage": story.lineage.iter().map(json::lineage_link).collect::<Vec<_>>(),
        "receipts": story.receipts.iter().map(json::receipt).collect::<Vec<_>>(),
    }))
}

fn show_tables(out: &mut Out, story: &v1::TrackResponse) -> Result<(), Exit> {
    let lang = out.lang();
    let envelope = story.envelope.clone().unwrap_or_default();
    let (header, kind) = (envelope.header.clone().unwrap_or_default(), envelope.kind());
    out.text(tables::facts(
        lang,
        [
            (Word::Message, envelope.message_id),
            (Word::Kind, words::message_kind(kind, lang)),
            (Word::Sender, envelope.sender),
            (Word::Code, tables::code(&header)),
            (Word::Subject, header.subject.clone()),
            (Word::UrgencyLevel, words::urgency(header.urgency()).text(lang).to_owned()),
            (Word::DueDate, header.due_date.clone()),
            (
                Word::Payload,
                format!("{}, {} {}", envelope.media_type, envelope.payload_bytes, Word::Bytes.text(lang)),
            ),
            (Word::AcceptTime, times::short(envelope.accept_time.as_ref())),
            (Word::ExpireTime, times::short(envelope.expire_time.as_ref())),
            (Word::PurgeTime, times::short(envelope.purge_time.as_ref())),
        ],
    ))?;
    out.text(tables::deliveries(lang, &story.deliveries))?;
    for status in &story.deliveries {
        out.text(format_args!("\n{} ({})", status.recipient, status.delivery_id))?;
        out.text(tables::timeline(lang, &story.receipts, &status.delivery_id))?;
    }
    if !story.lineage.is_empty() {
        out.text(format_args!("\n{}", Word::Lineage.text(lang)))?;
        out.text(tables::lineage(lang, &story.lineage))?;
    }
    Ok(())
}
