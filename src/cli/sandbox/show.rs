//! How the sandbox shows what happens: a tale with tables, or one JSON object for each thing.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use super::exchange::Collected;
use super::place::{OPERATOR, Place, SampleAgency};
use super::tale::Line;
use crate::cli::exit::Exit;
use crate::cli::out::Out;
use crate::cli::words::Word;
use crate::cli::{json as objects, tables};
use crate::config;
use crate::proto::v1;

/// What has been and is being shown.
pub struct Story {
    out: Out,
}

impl Story {
    /// A story told to somebody.
    pub fn new(out: Out) -> Self {
        Self { out }
    }

    /// Tells a step.
    pub fn tell(&mut self, line: Line<'_>) -> Result<(), Exit> {
        match &line {
            Line::Place { dir } => self.out.object(&json!({ "type": "place", "dir": dir }))?,
            Line::Gateway { address, ops } => self.out.object(&json!({
                "type": "gateway",
                "endpoint": format!("https://{address}"),
                "ops": format!("http://{ops}"),
            }))?,
            _ => {}
        }
        self.out.text(line.text(self.out.lang()))
    }

    /// Shows the acceptance.
    pub fn accepted(&mut self, acceptance: &v1::Acceptance) -> Result<(), Exit> {
        self.out.object(&objects::acceptance(acceptance))?;
        let receipt = acceptance.receipt.clone().unwrap_or_default();
        let (word, id) = (self.out.word(Word::Message), receipt.message_id);
        self.out.text(format_args!("{word}: {id}"))
    }

    /// Shows what a recipient got.
    pub fn collected(&mut self, one: &Collected, is_equal: bool) -> Result<(), Exit> {
        let Collected { organ, delivery_id, hash, bytes } = one;
        self.out.object(&json!({
            "type": "collected",
            "organ": organ,
            "delivery_id": delivery_id,
            "bytes": bytes,
            "sha256": hash.to_string(),
            "equal": is_equal,
        }))?;
        let equal = if is_equal { "=" } else { "≠" };
        self.out.text(format_args!("{organ}: {delivery_id}, {bytes} {}, SHA-256 {equal} {hash}", self.out.word(Word::Bytes)))
    }

    /// Shows the receipts, a table for each recipient.
    pub fn timeline(
        &mut self,
        acceptance: &v1::Acceptance,
        receipts: &[v1::Receipt],
        titles: &[(&str, &str)],
    ) -> Result<(), Exit> {
        for receipt in receipts {
            self.out.object(&objects::receipt(receipt))?;
        }
        self.tell(Line::Receipts)?;
        for delivery in &acceptance.deliveries {
            let title = titles.iter().find(|(name, _)| *name == delivery.recipient).map_or("", |(_, title)| title);
            self.out.text(format_args!("\n{} {title}", delivery.recipient))?;
            self.out.text(tables::timeline(self.out.lang(), receipts, &delivery.delivery_id))?;
        }
        Ok(())
    }

    /// Shows whether all was well.
    pub fn verdict(&mut self, flaws: &[String], receipts: &[v1::Receipt]) -> Result<(), Exit> {
        let ok = flaws.is_empty();
        self.out.object(&json!({ "type": "verdict", "ok": ok, "receipts": receipts.len(), "flaws": flaws }))?;
        match ok {
            true => self.tell(Line::Well { receipts: receipts.len() }),
            false => self.tell(Line::Flawed { flaws }),
        }
    }

    /// Shows what can be tried next, ready to paste.
    pub fn commands(
        &mut self,
        place: &Place,
        agencies: &[SampleAgency],
        ops: SocketAddr,
    ) -> Result<(), Exit> {
        for agency in agencies {
            self.out.object(&json!({ "type": "profile", "name": agency.name, "dir": agency.dir }))?;
        }
        self.tell(Line::Commands)?;
        let truc = quoted(&config::program());
        let profile = |name: &str| {
            let found = agencies.iter().find(|agency| agency.name == name);
            found.map(|agency| quoted(&agency.dir)).unwrap_or_default()
        };
        let document = quoted(&place.document());
        let received = quoted(&place.received("H49"));
        let (g22, h49, operator) = (profile("G22"), profile("H49"), profile(OPERATOR));
        for command in [
            format!("{truc} send --profile {g22} --edxml {document} --id thu-$(date +%s)"),
            format!("{truc} collect --profile {h49} --out {received} --once"),
            format!("{truc} receipts --profile {g22}"),
            format!("{truc} send --profile {h49} --to G22 --subject 'V/v phúc đáp' {document}"),
            format!("{truc} resolve --profile {operator} H02"),
            format!("curl http://{ops}/metrics"),
        ] {
            self.out.text(format_args!("  {command}"))?;
        }
        Ok(())
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_pasted() {
        assert_eq!(quoted(Path::new("/tmp/truc-sandbox-1/H49")), "/tmp/truc-sandbox-1/H49");
        assert_eq!(quoted(Path::new("/tmp/hộp thư")), "'/tmp/hộp thư'");
        assert_eq!(quoted(Path::new("it's")), r"'it'\''s'");
    }
}
