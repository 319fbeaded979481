//! The documents of the load. Each is known by its seed, so that it can be submitted again, byte for byte, without being kept.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use truc::proto::v1;

use crate::site;

/// The organs that send.
pub const SENDERS: [&str; 4] = ["G22", "G09", "H26", "H29"];

/// The organs that receive, and the closed ones whose mail goes to them.
pub const RECIPIENTS: [(&str, Option<&str>); 6] = [
    ("H49", None),
    ("H05", Some("H02")),
    ("H55", Some("H03")),
    ("H12", Some("H04")),
    ("H61", Some("H07")),
    ("H21", Some("H08")),
];

/// One document to some recipients.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub sender: &'static str,
    pub message_id: String,
    /// The open organs it goes to, each with the closed one that was written in its place, or an empty text.
    pub to: Vec<(&'static str, &'static str)>,
    pub urgency: v1::Urgency,
    pub payload_bytes: usize,
    pub payload_sha256: [u8; 32],
    seed: u64,
}

impl Document {
    /// The document as it is submitted, the same each time.
    pub fn submission(&self) -> v1::Submission {
        let written: Vec<_> = self.to.iter().map(|(organ, closed)| written(organ, closed)).collect();
        let mut submission = site::document(&self.message_id, &written, self.payload());
        if let Some(v1::submission::Content::Document(document)) = &mut submission.content
            && let Some(header) = &mut document.header
        {
            header.urgency = self.urgency.into();
        }
        if self.seed.is_multiple_of(2) {
            submission.payload_sha256 = self.payload_sha256.to_vec().into();
        }
        submission
    }

    fn payload(&self) -> Vec<u8> {
        let mut payload = vec![0; self.payload_bytes];
        fastrand::Rng::with_seed(self.seed).fill(&mut payload);
        payload
    }
}

fn written<'a>(organ: &'a str, closed: &'a str) -> &'a str {
    if closed.is_empty() { organ } else { closed }
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Writes the documents of one sending client.
pub struct Author {
    sender: &'static str,
    name: String,
    written: u32,
    rng: fastrand::Rng,
}

impl Author {
    pub fn new(sender: &'static str, name: &str, rng: fastrand::Rng) -> Self {
        Self { sender, name: name.to_owned(), written: 0, rng }
    }

    /// The next document.
    pub fn write(&mut self) -> Arc<Document> {
        self.written += 1;
        let mut document = Document {
            sender: self.sender,
            message_id: format!("{}-{}", self.name, self.written),
            to: self.recipients(),
            urgency: match self.rng.u8(..10) {
                0 => v1::Urgency::Express,
                1 => v1::Urgency::Urgent,
                _ => v1::Urgency::Normal,
            },
            payload_bytes: self.payload_bytes(),
            payload_sha256: [0; 32],
            seed: self.rng.u64(..),
        };
        document.payload_sha256 = sha256(&document.payload());
        Arc::new(document)
    }

    fn recipients(&mut self) -> Vec<(&'static str, &'static str)> {
        let count = if self.rng.u8(..10) < 3 { 5 } else { 1 };
        let chosen = self.rng.choose_multiple(RECIPIENTS, count);
        let address = |(organ, closed): (&'static str, Option<&'static str>)| match closed {
            Some(closed) if self.rng.u8(..4) == 0 => (organ, closed),
            _ => (organ, ""),
        };
        chosen.into_iter().map(address).collect()
    }

    fn payload_bytes(&mut self) -> usize {
        match self.rng.u8(..100) {
            0..70 => self.rng.usize(100..2_000),
            70..97 => self.rng.usize(2_000..16_000),
            _ => self.rng.usize(16_000..200_000),
        }
    }
}
