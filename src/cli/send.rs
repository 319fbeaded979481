//! `truc send`: hands a document to the gateway.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;

use super::connection::Connection;
use super::exit::Exit;
use super::out::{Form, Out};
use super::words::{Lang, Word};
use super::{block_on, json, progress, tables, times};
use crate::client::Agency;
use crate::domain::message::Hash;
use crate::identity::{self, Role};
use crate::proto::v1::{self, submission::Content};

mod change;
mod header;
mod wait;

pub use header::MEDIA_TYPES;

/// Files larger than this are long enough under way to show it.
const LARGE_BYTES: usize = 1_000_000;

/// Send a document / Gửi văn bản
///
/// Either an edXML file as it is, or any file with a header given by options. Answers once the gateway has it on
/// disk. Sending the same id and content again is safe.
#[derive(Debug, Args)]
pub struct Send {
    /// An edXML file; sender, recipients and header are read from it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "Header"])]
    edxml: Option<PathBuf>,
    /// Any other file
    #[arg(value_name = "FILE", required_unless_present = "edxml", requires_all = ["to", "subject"])]
    file: Option<PathBuf>,
    /// The sender's own id for this message [default: a UUID; for edXML, made from the file by the gateway]
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The organ on whose behalf it is sent [default: the certificate's]
    #[arg(long, value_name = "ORGAN")]
    sender: Option<String>,
    /// Wait until every delivery has ended, and show the receipts meanwhile
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    header: header::Header,
    #[command(flatten)]
    changes: change::Changes,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    form: Form,
}

impl Send {
    /// Sends.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        let mut out = Out::new(lang, self.form);
        let submission = self.submission()?;
        block_on(async {
            let agency = self.connection.agency().await?;
            let acceptance = submit(&agency, submission, &out).await?;
            show(&mut out, &acceptance)?;
            match self.wait {
                true => wait::for_the_end(&agency, &acceptance, &mut out).await,
                false => Ok(()),
            }
        })
    }

    /// Sends a document in the place of others.
    pub fn replace(self, lang: Lang) -> Result<(), Exit> {
        if self.edxml.is_none() {
            self.changes.must_replace()?;
        }
        self.run(lang)
    }

    fn submission(&self) -> Result<v1::Submission, Exit> {
        let (content, payload_hash, id) = match (&self.edxml, &self.file) {
            (Some(file), _) => {
                let file = read(file)?;
                let hash = Hash::of(&file);
                (Content::Edxml(v1::EdxmlDocument { file }), hash, self.id.clone().unwrap_or_default())
            }
            (None, Some(path)) => {
                let payload = read(path)?;
                let hash = Hash::of(&payload);
                let header = self.header.written(path, || self.own_organ(), times::today())?;
                let media_type = self.header.media_type(path);
                let document = v1::OpaqueDocument { header: Some(header), payload, media_type };
                (Content::Document(document), hash, self.id.clone().unwrap_or_else(new_id))
            }
            (None, None) => return Err(Exit::usage("name a FILE, or --edxml FILE")),
        };
        Ok(v1::Submission {
            message_id: id,
            sender: self.sender.clone().unwrap_or_default(),
            content: Some(content),
            expire_time: None,
            change: self.changes.written(),
            payload_sha256: payload_hash.as_bytes().to_vec().into(),
        })
    }

    /// The organ the message will be from.
    fn own_organ(&self) -> Result<String, Exit> {
        if let Some(sender) = &self.sender {
            return Ok(sender.clone());
        }
        let facts = identity::inspect(&self.connection.profile()?.cert).map_err(Exit::usage)?;
        match facts.role {
            Role::Organ(organ) => Ok(organ.to_string()),
            role @ (Role::Operator(_) | Role::None) => {
                Err(Exit::usage(format_args!("the certificate is of {role}; documents are sent by organs")))
            }
        }
    }
}

fn read(path: &Path) -> Result<Bytes, Exit> {
    let bytes = std::fs::read(path);
    bytes.map(Bytes::from).map_err(|error| Exit::usage(format_args!("{}: {error}", path.display())))
}

fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

async fn submit(agency: &Agency, submission: v1::Submission, out: &Out) -> Result<v1::Acceptance, Exit> {
    let bytes = match &submission.content {
        Some(Content::Edxml(edxml)) => edxml.file.len(),
        Some(Content::Document(document)) => document.payload.len(),
        Some(Content::Recall(_)) | None => 0,
    };
    let bar = (bytes > LARGE_BYTES).then(|| progress::busy(out, Word::Sending, bytes as u64));
    let accepted = agency.submit(submission).await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    accepted.map_err(Exit::failed)
}

fn show(out: &mut Out, acceptance: &v1::Acceptance) -> Result<(), Exit> {
    out.object(&json::acceptance(acceptance))?;
    let receipt = acceptance.receipt.clone().unwrap_or_default();
    let repeated = match acceptance.repeated_submission {
        true => format!(" ({})", out.word(Word::RepeatedSubmission)),
        false => String::new(),
    };
    out.text(tables::facts(
        out.lang(),
        [
            (Word::Message, format!("{}{repeated}", receipt.message_id)),
            (Word::AcceptTime, times::short(receipt.time.as_ref())),
        ],
    ))?;
    let mut table = tables::framed(out.lang(), &[Word::Delivery, Word::Recipient, Word::AddressedTo]);
    for delivery in &acceptance.deliveries {
        table.add_row([&delivery.delivery_id, &delivery.recipient, &delivery.addressed_to]);
    }
    out.text(table)?;
    let Some(changed) = &acceptance.changed else { return Ok(()) };
    for document in &changed.unknown_documents {
        out.note(format_args!("{}: {document}", out.word(Word::DocumentUnknown)));
    }
    out.text(tables::changed(out.lang(), &changed.deliveries))
}
