//! Entries of a file of steps: what `dossier follow` writes, or the portal's JSON.

use serde::Deserialize;
use serde_json::Value;

use crate::cli::times;
use crate::cli::words::Lang;
use crate::portal::{self, Reading};
use crate::proto::v1;

/// The entries a file has.
pub enum Entries {
    /// As `dossier follow --json` writes them.
    Events,
    /// Of the portal's JSON.
    Portal(portal::Reader),
}

impl Entries {
    /// Those of a file that begins with this one.
    pub fn beginning_with(first: &Value, reading: &Reading) -> Result<Self, String> {
        let kind = first.get("type").and_then(Value::as_str);
        match (kind, first.get("MaHoSo")) {
            (Some("dossier_event"), _) => Ok(Self::Events),
            (None, Some(_)) => Ok(Self::Portal(portal::Reader::new(reading.clone()))),
            _ => Err("neither what `dossier follow --json` writes nor the portal's JSON".to_owned()),
        }
    }

    /// The step of an entry.
    pub fn step(&mut self, text: &str, lang: Lang) -> Result<v1::DossierStep, String> {
        match self {
            Self::Events => {
                serde_json::from_str::<EventEntry>(text).map_err(|error| error.to_string())?.step()
            }
            Self::Portal(_) => {
                self.step_of(serde_json::from_str(text).map_err(|error| error.to_string())?, lang)
            }
        }
    }

    /// The same, of an entry that was parsed.
    pub fn step_of(&mut self, value: Value, lang: Lang) -> Result<v1::DossierStep, String> {
        match self {
            Self::Events => {
                serde_json::from_value::<EventEntry>(value).map_err(|error| error.to_string())?.step()
            }
            Self::Portal(reader) => reader.step(&value).map_err(|error| match lang {
                Lang::Vi => error.vietnamese(),
                Lang::En => error.english(),
            }),
        }
    }
}

/// An event as `texts::event` writes it, as far as the publisher wrote it.
#[derive(Deserialize)]
struct EventEntry {
    #[serde(rename = "type")]
    kind: String,
    written_code: String,
    step: u32,
    procedure_code: String,
    #[serde(default)]
    status: i32,
    own_status: Option<OwnEntry>,
    #[serde(default)]
    actor: ActorEntry,
    occurred_time: String,
    due_time: Option<String>,
    start_time: Option<String>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    documents: Vec<DocumentEntry>,
}

#[derive(Deserialize)]
struct OwnEntry {
    code_set: String,
    code: String,
}

#[derive(Default, Deserialize)]
struct ActorEntry {
    name: String,
    position: String,
    department: String,
}

#[derive(Deserialize)]
struct DocumentEntry {
    sender: String,
    message_id: String,
}

impl EventEntry {
    fn step(self) -> Result<v1::DossierStep, String> {
        if self.kind != "dossier_event" {
            return Err(format!("a {} among events of dossiers", self.kind));
        }
        let time = |text: Option<String>| text.map(|text| times::parse(&text)).transpose();
        let actor = v1::DossierActor {
            name: self.actor.name,
            position: self.actor.position,
            department: self.actor.department,
        };
        let own_status =
            self.own_status.map(|own| v1::OwnStatusCode { code_set: own.code_set, code: own.code });
        let documents = self
            .documents
            .into_iter()
            .map(|link| v1::DossierDocument { sender: link.sender, message_id: link.message_id });
        Ok(v1::DossierStep {
            dossier_code: self.written_code,
            step: self.step,
            procedure_code: self.procedure_code,
            // Of an own code the status is what the gateway made of it, not what was published.
            status: if own_status.is_some() { 0 } else { self.status },
            own_status,
            actor: (actor != v1::DossierActor::default()).then_some(actor),
            occurred_time: Some(times::parse(&self.occurred_time)?),
            due_time: time(self.due_time)?,
            start_time: time(self.start_time)?,
            note: self.note,
            documents: documents.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dossier::texts;

    fn step() -> v1::DossierStep {
        let time = |seconds| Some(prost_types::Timestamp { seconds, nanos: 123_456_000 });
        v1::DossierStep {
            dossier_code: "000.00.14.H20-200703-0002".to_owned(),
            step: 2,
            procedure_code: "1.004194".to_owned(),
            status: 0,
            own_status: Some(v1::OwnStatusCode { code_set: "egov".into(), code: "05".into() }),
            actor: Some(v1::DossierActor { name: "Nguyễn Văn A".into(), ..Default::default() }),
            occurred_time: time(1_790_000_000),
            due_time: time(1_790_000_100),
            start_time: None,
            note: "Bổ sung \"giấy tờ\"\n".to_owned(),
            documents: vec![v1::DossierDocument { sender: "H20".into(), message_id: "m-1".into() }],
        }
    }

    #[test]
    fn a_step_is_read_as_follow_wrote_it() {
        let shown = v1::DossierStep { status: 5, ..step() };
        let event = v1::DossierEvent { position: 7, step: Some(shown), ..Default::default() };
        let written = texts::event(&event);
        let mut entries = Entries::beginning_with(&written, &Reading::default()).ok().unwrap();
        assert_eq!(entries.step(&written.to_string(), Lang::En), Ok(step()));
        assert_eq!(entries.step_of(written, Lang::En), Ok(step()));
        let plain = v1::DossierStep { own_status: None, actor: None, status: 4, ..step() };
        let event = v1::DossierEvent { step: Some(plain.clone()), ..Default::default() };
        assert_eq!(entries.step(&texts::event(&event).to_string(), Lang::En), Ok(plain));
    }

    #[test]
    fn other_entries_are_told_of() {
        let kind = |text: &str| {
            let first = serde_json::from_str(text).unwrap();
            Entries::beginning_with(&first, &Reading::default())
                .map(|entries| matches!(entries, Entries::Events))
        };
        assert_eq!(kind(r#"{"type": "dossier_event"}"#), Ok(true));
        assert_eq!(kind(r#"{"MaHoSo": "x"}"#), Ok(false));
        assert!(kind(r#"{"type": "publish_result"}"#).is_err() && kind("7").is_err());
        assert!(Entries::Events.step(r#"{"type": "dossier_event"}"#, Lang::En).is_err());
    }
}
