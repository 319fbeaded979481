//! What is done with each delivery: checked, written, settled, shown.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;

use crate::cli::exit::Exit;
use crate::cli::out::Out;
use crate::cli::send::MEDIA_TYPES;
use crate::cli::tables::{self, Rows};
use crate::cli::words::{self, Word};
use crate::cli::{files, json, progress};
use crate::client::CallError;
use crate::domain::message::Hash;
use crate::proto::v1::{self, settlement::Outcome};

const COLUMNS: [(Word, u16); 6] = [
    (Word::Delivery, 9),
    (Word::Sender, 8),
    (Word::Code, 24),
    (Word::Outcome, 12),
    (Word::File, 24),
    (Word::Subject, 10),
];

/// Where deliveries are taken in.
pub struct Desk {
    folder: PathBuf,
    rejection: Option<String>,
    out: Out,
    rows: Rows,
    bar: ProgressBar,
    written: HashMap<String, Written>,
    collected: u64,
    refused: u64,
}

/// A delivery that is on disk and not yet settled.
struct Written {
    file: PathBuf,
    delivery: v1::Delivery,
}

impl Desk {
    /// A desk that writes into a folder, and rejects everything if there is a reason to.
    pub fn new(folder: PathBuf, rejection: Option<String>, max: Option<u64>, out: Out) -> Self {
        let bar = max.map_or_else(ProgressBar::hidden, |max| progress::counting(&out, max, Word::Collected));
        let rows = Rows::new(&COLUMNS);
        Self { folder, rejection, out, rows, bar, written: HashMap::new(), collected: 0, refused: 0 }
    }

    /// How many were settled.
    pub fn collected(&self) -> u64 {
        self.collected
    }

    /// Puts deliveries on disk; gives what is to be told to the gateway. Fails before anything could be lost.
    pub async fn take(&mut self, deliveries: Vec<v1::Delivery>) -> Result<Vec<v1::Settlement>, Exit> {
        let folder = self.folder.clone();
        // Writing waits for the disk, which the connection should not have to.
        let writing = tokio::task::spawn_blocking(move || -> Result<Vec<Written>, Exit> {
            deliveries.into_iter().map(|delivery| write(&folder, delivery)).collect()
        });
        let written = writing.await.map_err(Exit::failed)??;
        let mut settlements = Vec::with_capacity(written.len());
        for one in written {
            settlements.push(v1::Settlement {
                delivery_id: one.delivery.delivery_id.clone(),
                lease: one.delivery.lease.clone(),
                outcome: Some(self.outcome()),
            });
            self.written.insert(one.delivery.delivery_id.clone(), one);
        }
        Ok(settlements)
    }

    /// Shows what the gateway answered.
    pub fn settled(&mut self, results: &[v1::SettleResult]) -> Result<(), Exit> {
        for result in results {
            let Some(written) = self.written.remove(&result.delivery_id) else { continue };
            match &result.refusal {
                Some(refusal) => {
                    self.refused += 1;
                    let why = CallError::from(refusal);
                    self.bar.suspend(|| self.out.note(format_args!("{}: {why}", result.delivery_id)));
                }
                None => {
                    self.collected += 1;
                    self.bar.inc(1);
                    let (bar, state) = (self.bar.clone(), result.state());
                    bar.suspend(|| self.show(&written, state))?;
                }
            }
        }
        Ok(())
    }

    /// Ends the work; fails when a settlement was not taken.
    pub fn close(self) -> Result<(), Exit> {
        self.bar.finish_and_clear();
        let (count, word) = (self.collected, self.out.word(Word::Collected));
        if !self.out.is_json() {
            self.out.note(format_args!("{count} {word}"));
        }
        match self.refused {
            0 => Ok(()),
            refused => Err(Exit::Failed(format!(
                "{refused} settlements were not taken; those documents are on disk and may be offered again"
            ))),
        }
    }

    fn outcome(&self) -> Outcome {
        match &self.rejection {
            Some(reason) => Outcome::Rejected(v1::Rejected { reason: reason.clone() }),
            None => Outcome::Delivered(v1::Delivered {}),
        }
    }

    fn show(&mut self, written: &Written, state: v1::DeliveryState) -> Result<(), Exit> {
        let Written { file, delivery } = written;
        let envelope = delivery.envelope.clone().unwrap_or_default();
        self.out.object(&serde_json::json!({
            "type": "delivery",
            "delivery_id": delivery.delivery_id,
            "recipient": delivery.recipient,
            "addressed_to": (!delivery.addressed_to.is_empty()).then_some(&delivery.addressed_to),
            "attempt": delivery.attempt,
            "state": json::enum_name(state.as_str_name(), "DELIVERY_STATE_"),
            "file": file,
            "envelope": json::envelope(&envelope),
            "about": delivery.about.iter().map(json::about).collect::<Vec<_>>(),
        }))?;
        let kind = words::message_kind(envelope.kind(), self.out.lang());
        let reason = envelope.change.as_ref().map(|change| change.reason.clone()).unwrap_or_default();
        let header = envelope.header.unwrap_or_default();
        let subject = match delivery.about.first() {
            None => header.subject.clone(),
            Some(about) => format!(
                "{kind} {}: {}",
                about.message_id,
                if reason.is_empty() { &header.subject } else { &reason }
            ),
        };
        let row = vec![
            delivery.delivery_id.clone(),
            envelope.sender,
            tables::code(&header),
            self.out.word(words::state(state)).to_owned(),
            file.display().to_string(),
            subject,
        ];
        self.rows.write(&mut self.out, row)
    }
}

fn write(folder: &Path, mut delivery: v1::Delivery) -> Result<Written, Exit> {
    // Once it is on disk nobody here needs it in memory.
    let payload = std::mem::take(&mut delivery.payload);
    let envelope = delivery.envelope.as_ref();
    let stated = envelope.and_then(|envelope| Hash::from_slice(&envelope.payload_sha256));
    if stated != Some(Hash::of(&payload)) {
        let id = &delivery.delivery_id;
        return Err(Exit::Failed(format!(
            "{id}: the bytes are not those its SHA-256 names; it was not settled"
        )));
    }
    let file = folder.join(name(&delivery));
    files::replace(&file, &payload)
        .map_err(|error| Exit::Failed(format!("{}: {error}; it was not settled", file.display())))?;
    Ok(Written { file, delivery })
}

/// The delivery's id and an extension; nothing in it can lead out of the folder.
fn name(delivery: &v1::Delivery) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let stem: String = delivery.delivery_id.chars().map(plain).collect();
    let extension = delivery.envelope.as_ref().map_or("bin", |envelope| match envelope.format() {
        v1::PayloadFormat::Edxml => "edxml",
        v1::PayloadFormat::Opaque | v1::PayloadFormat::Unspecified => {
            let essence = envelope.media_type.split(';').next().unwrap_or_default().trim();
            let known = MEDIA_TYPES.iter().find(|(_, media_type)| media_type.eq_ignore_ascii_case(essence));
            known.map_or("bin", |(extension, _)| extension)
        }
    });
    format!("{stem}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(id: &str, format: v1::PayloadFormat, media_type: &str) -> v1::Delivery {
        let payload = bytes::Bytes::from_static(b"abc");
        v1::Delivery {
            delivery_id: id.into(),
            envelope: Some(v1::Envelope {
                format: format.into(),
                media_type: media_type.into(),
                payload_sha256: Hash::of(&payload).as_bytes().to_vec().into(),
                ..Default::default()
            }),
            payload,
            ..Default::default()
        }
    }

    #[test]
    fn files_are_named_after_deliveries_and_stay_in_the_folder() {
        let opaque = v1::PayloadFormat::Opaque;
        for (id, format, media_type, expected) in [
            ("d7", v1::PayloadFormat::Edxml, "application/xml", "d7.edxml"),
            ("d7", opaque, "application/PDF; v=1", "d7.pdf"),
            ("d7", opaque, "image/jpeg", "d7.jpg"),
            ("d7", opaque, "x/y", "d7.bin"),
            ("../../etc/passwd", opaque, "x/y", "______etc_passwd.bin"),
        ] {
            assert_eq!(name(&delivery(id, format, media_type)), expected);
        }
    }

    #[test]
    fn bytes_that_are_not_the_senders_are_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let good = delivery("d1", v1::PayloadFormat::Opaque, "text/plain");
        let written = write(dir.path(), good.clone()).unwrap();
        assert_eq!(std::fs::read(written.file).unwrap(), b"abc");
        let changed = v1::Delivery { payload: bytes::Bytes::from_static(b"abd"), ..good };
        assert!(matches!(write(dir.path(), changed), Err(Exit::Failed(_))));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
