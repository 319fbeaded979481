//! The layers above the defaults: what a file and the environment override, each with its place.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::ENVIRONMENT_PREFIX;
use super::error::{Error, Origin};

/// One key set by an operator.
#[derive(Debug)]
pub(super) struct Override {
    section: String,
    name: String,
    value: Value,
    origin: Origin,
}

impl Override {
    /// The key, as `section.key`.
    pub(super) fn key(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Where it stands.
    pub(super) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// Replaces the key's value in a complete configuration.
    pub(super) fn lay_over(&self, table: &mut Table) {
        if let Some(Value::Table(section)) = table.get_mut(&self.section) {
            section.insert(self.name.clone(), self.value.clone());
        }
    }

    /// The error of a value that its key cannot have.
    pub(super) fn refuse(&self, why: &str) -> Error {
        let hint = "config/truc.default.toml shows the form of the value".to_owned();
        Error::Value {
            origin: self.origin(),
            key: self.key(),
            why: why.trim_end().to_owned(),
            hint: Some(hint),
        }
    }
}

/// The sections and keys that exist, with their defaults.
pub(super) struct Known(Table);

impl Known {
    /// Those of a complete configuration.
    pub(super) fn of(defaults: Table) -> Self {
        Self(defaults)
    }

    fn default_of(&self, section: &str, name: &str) -> Option<&Value> {
        self.0.get(section)?.get(name)
    }

    fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(section, keys)| {
            keys.as_table().into_iter().flatten().map(move |(name, _)| (section.as_str(), name.as_str()))
        })
    }

    fn unknown(&self, origin: Origin, key: String) -> Error {
        let nearest = self.nearest(&key);
        Error::UnknownKey { origin, key, nearest }
    }

    /// The key most like an unknown one: the same name in another section, else the one with the fewest differing letters,
    /// when no more than a third of them differ.
    fn nearest(&self, wanted: &str) -> Option<String> {
        let name = wanted.rsplit('.').next().unwrap_or(wanted);
        if let Some((section, name)) = self.keys().find(|(_, known)| *known == name) {
            return Some(format!("{section}.{name}"));
        }
        let sections = self.0.keys().cloned();
        let keys = self.keys().map(|(section, name)| format!("{section}.{name}"));
        let bare = self.keys().map(|(section, name)| (format!("{section}.{name}"), name.to_owned()));
        let candidates = sections.chain(keys).map(|key| (key.clone(), key)).chain(bare);
        let (distance, key) = candidates
            .map(|(key, form)| (strsim::damerau_levenshtein(wanted, &form), key))
            .min_by_key(|(distance, _)| *distance)?;
        (distance <= (wanted.chars().count() / 3).max(1)).then_some(key)
    }
}

/// What a file overrides.
pub(super) fn of_file(file: &Path, known: &Known) -> Result<Vec<Override>, Error> {
    let text =
        fs::read_to_string(file).map_err(|cause| Error::Unreadable { file: file.to_owned(), cause })?;
    let at = |span: Option<Range<usize>>| line_of(&text, span.map_or(0, |span| span.start));
    let syntax = |error: &toml::de::Error| Error::Syntax {
        file: file.to_owned(),
        line: at(error.span()),
        why: error.message().trim_end().to_owned(),
    };
    let values: Table = toml::from_str(&text).map_err(|error| syntax(&error))?;
    let places = DeTable::parse(&text).map_err(|error| syntax(&error))?;
    let origin = |span| Origin::File { file: file.to_owned(), line: at(span) };

    let mut overrides = Vec::new();
    for (section, keys) in values {
        let place = entry(places.get_ref(), &section);
        let here = origin(place.map(|(key, _)| key.span()));
        if !known.0.contains_key(&section) {
            return Err(known.unknown(here, section));
        }
        let Value::Table(keys) = keys else {
            let why = format!("is a section, not a {}", keys.type_str());
            let hint = Some(format!("write its keys below a line [{section}]"));
            return Err(Error::Value { origin: here, key: section, why, hint });
        };
        let places = place.and_then(|(_, value)| value.get_ref().as_table());
        for (name, value) in keys {
            let place = places.and_then(|places| entry(places, &name));
            let origin = origin(place.map(|(key, _)| key.span()));
            if known.default_of(&section, &name).is_none() {
                return Err(known.unknown(origin, format!("{section}.{name}")));
            }
            overrides.push(Override { section: section.clone(), name, value, origin });
        }
    }
    Ok(overrides)
}

/// What the environment overrides.
pub(super) fn of_environment(
    variables: impl Iterator<Item = (String, String)>,
    known: &Known,
) -> Result<Vec<Override>, Error> {
    let mut overrides = Vec::new();
    for (variable, text) in variables {
        let Some(key) = variable.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
        let key = key.to_ascii_lowercase().replacen("__", ".", 1);
        let origin = Origin::Environment { variable };
        let (section, name) = key.split_once('.').unwrap_or((&key, ""));
        let Some(default) = known.default_of(section, name) else {
            return Err(known.unknown(origin, key));
        };
        let value = value_of(text, default);
        overrides.push(Override { section: section.to_owned(), name: name.to_owned(), value, origin });
    }
    // The order of the environment is nobody's; that of the errors should be somebody's.
    overrides.sort_by_key(Override::key);
    Ok(overrides)
}

/// A variable's text as TOML; as it stands where it is not TOML, or where the key is a text and the TOML would not be one.
fn value_of(text: String, default: &Value) -> Value {
    match toml::from_str::<Table>(&format!("value = {text}")) {
        Ok(mut parsed) if parsed.len() == 1 => match parsed.remove("value") {
            Some(value) if value.is_str() || !default.is_str() => value,
            _ => Value::String(text),
        },
        _ => Value::String(text),
    }
}

type Entry<'t, 'i> = (&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>);

fn entry<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<Entry<'t, 'i>> {
    table.iter().find(|(name, _)| name.get_ref() == key)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
