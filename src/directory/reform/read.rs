//! Reads reform files: TOML, one table a change.

use std::path::Path;

use serde::Deserialize;
use time::Date;
use unicode_normalization::UnicodeNormalization;

use super::error::{Error, Why};
use crate::directory::{Link, load};
use crate::domain::limits::REFORM_BYTES_MAX;
use crate::domain::organ_id::OrganId;

/// A reform as it is written.
#[derive(Clone, Debug)]
pub struct Reform {
    /// The file it was read from.
    pub file: String,
    /// What it is called.
    pub title: String,
    /// What it changes, in order.
    pub changes: Vec<Change>,
}

/// What kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A new organ.
    Open,
    /// Another name.
    Rename,
    /// Another place in the hierarchy, and so another id.
    Move,
    /// Organs become part of one.
    Merge,
    /// An organ becomes part of several.
    Split,
    /// An organ closes and nobody takes over.
    Close,
    /// Who took over from a closed organ.
    Successor,
    /// The certificates of one organ speak for another for some time.
    Rebind,
}

impl Kind {
    /// The word in the files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Rename => "rename",
            Self::Move => "move",
            Self::Merge => "merge",
            Self::Split => "split",
            Self::Close => "close",
            Self::Successor => "successor",
            Self::Rebind => "rebind",
        }
    }
}

/// One change. What it lacks is found when it is made.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is changed.
    pub kind: Kind,
    /// The organ it is about.
    pub organ: Option<OrganId>,
    /// The organs that merge.
    pub organs: Vec<OrganId>,
    /// The organs that take over.
    pub into: Vec<OrganId>,
    /// The one of them that handles what was for the old organ.
    pub handler: Option<OrganId>,
    /// The id after a move.
    pub to: Option<OrganId>,
    /// The name of a new organ, or a new name.
    pub name: Option<String>,
    /// The day it takes effect.
    pub on: Option<Date>,
    /// The day it ends.
    pub until: Option<Date>,
    /// By which law.
    pub legal_basis: String,
    /// How a new organ is attached.
    pub link: Option<Link>,
    /// Whether a new organ's certificate acts for those below.
    pub acts_for_below: Option<bool>,
    /// Whose certificates.
    pub certificate_of: Option<OrganId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    legal_basis: Option<String>,
    on: Option<toml::Value>,
    #[serde(default, rename = "change")]
    changes: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "do")]
    kind: Kind,
    organ: Option<String>,
    #[serde(default)]
    organs: Vec<String>,
    #[serde(default)]
    into: Several,
    handler: Option<String>,
    to: Option<String>,
    name: Option<String>,
    on: Option<toml::Value>,
    until: Option<toml::Value>,
    legal_basis: Option<String>,
    link: Option<String>,
    acts_for_below: Option<bool>,
    certificate_of: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Several {
    One(String),
    Many(Vec<String>),
}

impl Default for Several {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Reform {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<(Self, Vec<u8>), Error> {
        let file = path.display().to_string();
        let unreadable = |why: String| Error::Unreadable { file: file.clone(), why };
        let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
        if bytes.len() > REFORM_BYTES_MAX {
            return Err(unreadable(format!("larger than {REFORM_BYTES_MAX} bytes")));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("not UTF-8".to_owned()))?;
        Ok((Self::parse(&file, text)?, bytes))
    }

    /// Reads a text that stands in a file of this name.
    pub fn parse(file: &str, text: &str) -> Result<Self, Error> {
        let malformed = |why: String| Error::Malformed { file: file.to_owned(), why };
        let written: File = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
        if written.changes.is_empty() {
            return Err(malformed("no change; begin each with a line [[change]]".to_owned()));
        }
        let on = written.on.as_ref().map(date).transpose().map_err(|why| malformed(why.to_string()))?;
        let mut changes = Vec::with_capacity(written.changes.len());
        for (number, change) in (1..).zip(written.changes) {
            let kind = change.kind;
            let place = |why: String| malformed(format!("change {number} ({}): {why}", kind.as_str()));
            changes.push(change.read(on, written.legal_basis.as_deref()).map_err(place)?);
        }
        Ok(Self { file: file.to_owned(), title: written.title, changes })
    }
}

impl Written {
    fn read(self, on: Option<Date>, legal_basis: Option<&str>) -> Result<Change, String> {
        let organ = |text: Option<String>| text.as_deref().map(id).transpose();
        let organs = |texts: Vec<String>| texts.iter().map(|text| id(text)).collect::<Result<Vec<_>, _>>();
        let day =
            |value: &Option<toml::Value>| value.as_ref().map(date).transpose().map_err(|why| why.to_string());
        let known = |text: String| {
            Link::ALL
                .into_iter()
                .find(|link| link.as_str() == text)
                .ok_or_else(|| format!("`{text}` is no kind of link; write grpc, amqp or amqp-json"))
        };
        Ok(Change {
            kind: self.kind,
            organ: organ(self.organ)?,
            organs: organs(self.organs)?,
            into: match self.into {
                Several::One(text) => vec![id(&text)?],
                Several::Many(texts) => organs(texts)?,
            },
            handler: organ(self.handler)?,
            to: organ(self.to)?,
            name: self.name.map(|name| name.trim().nfc().collect()),
            on: day(&self.on)?.or(on),
            until: day(&self.until)?,
            legal_basis: self.legal_basis.or(legal_basis.map(str::to_owned)).unwrap_or_default(),
            link: self.link.map(known).transpose()?,
            acts_for_below: self.acts_for_below,
            certificate_of: organ(self.certificate_of)?,
        })
    }
}

fn id(text: &str) -> Result<OrganId, String> {
    OrganId::parse(text).map_err(|why| format!("`{text}`: {why}"))
}

/// A day, as TOML's own or in quotation marks.
fn date(value: &toml::Value) -> Result<Date, Why> {
    let text = match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    load::day(&text).ok_or(Why::BadDay(text))
}

impl Change {
    pub(super) fn organ(&self) -> Result<OrganId, Why> {
        self.organ.clone().ok_or(Why::Missing("organ"))
    }

    pub(super) fn name(&self) -> Result<&str, Why> {
        self.name.as_deref().filter(|name| !name.is_empty()).ok_or(Why::Missing("name"))
    }

    pub(super) fn to(&self) -> Result<OrganId, Why> {
        self.to.clone().ok_or(Why::Missing("to"))
    }

    pub(super) fn day(&self) -> Result<Date, Why> {
        self.on.ok_or(Why::Missing("on"))
    }

    pub(super) fn until(&self) -> Result<Date, Why> {
        self.until.ok_or(Why::Missing("until"))
    }

    pub(super) fn certificate_of(&self) -> Result<OrganId, Why> {
        self.certificate_of.clone().ok_or(Why::Missing("certificate_of"))
    }
}
