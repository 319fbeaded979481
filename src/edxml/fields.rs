//! One element of the header with its path: reads its fields and says which is at fault.

use time::{Date, OffsetDateTime};

use super::date;
use super::refusals::{invalid, malformed, missing, repeated, state_secret, too_long};
use super::secrecy::secrecy_marking;
use super::xml::Element;
use crate::domain::organ_id::{OrganId, ParseOrganIdError};
use crate::domain::refusal::{Reason, Refusal};

const DATE_HINT: &str = "write a date of the calendar as yyyy/MM/dd";

/// An element and the path that leads to it.
pub(super) struct Fields<'t> {
    element: &'t Element<'t>,
    path: String,
}

impl<'t> Fields<'t> {
    /// The fields of an element at a path.
    pub fn new(element: &'t Element<'t>, path: impl Into<String>) -> Self {
        Self { element, path: path.into() }
    }

    /// The element itself.
    pub fn element(&self) -> &'t Element<'t> {
        self.element
    }

    /// The path of a field.
    pub fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// The element of that name, where there is one; two are refused.
    pub fn one(&self, name: &str) -> Result<Option<Self>, Refusal> {
        Ok(self.find(name)?.map(|element| Self::new(element, self.path_of(name))))
    }

    fn find(&self, name: &str) -> Result<Option<&'t Element<'t>>, Refusal> {
        let mut found = children(self.element, name);
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            (_, Some(_)) => Err(repeated(&self.path_of(name))),
        }
    }

    /// How many elements have that name.
    pub fn count(&self, name: &str) -> usize {
        children(self.element, name).count()
    }

    /// Every element of that name; the first is `name[1]`.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Self> {
        let path = self.path_of(name);
        let found = children(self.element, name).enumerate();
        found.map(move |(at, element)| Self::new(element, format!("{path}[{}]", at + 1)))
    }

    /// The elements in this one that hold no others, in their order; this one itself when it holds none.
    pub fn leaves(&self) -> impl Iterator<Item = Self> {
        let path = self.path.clone();
        let mut waiting = vec![self.element];
        std::iter::from_fn(move || {
            loop {
                let element = waiting.pop()?;
                if element.children.is_empty() {
                    return Some(Self::new(element, &*path));
                }
                waiting.extend(element.children.iter().rev());
            }
        })
    }

    /// This element's own text, trimmed; nothing when it is empty.
    pub fn own_text(&self, chars_max: usize) -> Result<Option<String>, Refusal> {
        text_of(self.element, chars_max, || self.path.clone())
    }

    /// A text, trimmed; nothing when it is absent or empty.
    pub fn text(&self, name: &str, chars_max: usize) -> Result<Option<String>, Refusal> {
        let found = self.find(name)?;
        found.map_or(Ok(None), |element| text_of(element, chars_max, || self.path_of(name)))
    }

    /// A text that must not carry the marking of a state secret.
    pub fn public_text(&self, name: &str, chars_max: usize) -> Result<Option<String>, Refusal> {
        let text = self.text(name, chars_max)?;
        match text.as_deref().and_then(secrecy_marking) {
            Some(marking) => Err(state_secret(&self.path_of(name), marking)),
            None => Ok(text),
        }
    }

    /// A text that must be there.
    pub fn required(&self, name: &str, chars_max: usize) -> Result<String, Refusal> {
        self.text(name, chars_max)?.ok_or_else(|| missing(&self.path_of(name)))
    }

    /// Every text of that name that is not empty.
    pub fn texts(&self, name: &str, chars_max: usize) -> Result<Vec<String>, Refusal> {
        self.all(name).filter_map(|field| field.own_text(chars_max).transpose()).collect()
    }

    /// This element's own text as an organ id; nothing when it is empty or `null`.
    pub fn own_organ(&self) -> Result<Option<OrganId>, Refusal> {
        organ_of(self.element, || self.path.clone())
    }

    /// An organ id; nothing when it is absent, empty or `null`.
    pub fn organ(&self, name: &str) -> Result<Option<OrganId>, Refusal> {
        self.find(name)?.map_or(Ok(None), |element| organ_of(element, || self.path_of(name)))
    }

    /// An organ id that must be there.
    pub fn required_organ(&self, name: &str) -> Result<OrganId, Refusal> {
        self.organ(name)?.ok_or_else(|| missing(&self.path_of(name)))
    }

    /// A date.
    pub fn date(&self, name: &str) -> Result<Option<Date>, Refusal> {
        let Some(text) = self.text(name, usize::MAX)? else { return Ok(None) };
        date::date(&text).map(Some).ok_or_else(|| invalid(&self.path_of(name), DATE_HINT))
    }

    /// A date that must be there.
    pub fn required_date(&self, name: &str) -> Result<Date, Refusal> {
        self.date(name)?.ok_or_else(|| missing(&self.path_of(name)))
    }

    /// A point in time; Vietnam's where no offset is written.
    pub fn moment(&self, name: &str) -> Result<Option<OffsetDateTime>, Refusal> {
        let Some(text) = self.text(name, usize::MAX)? else { return Ok(None) };
        let hint = "write a time as yyyy/MM/dd HH:mm:ss";
        date::moment(&text).map(Some).ok_or_else(|| invalid(&self.path_of(name), hint))
    }

    /// A code number out of a list; nothing when it is absent or empty.
    pub fn code<T>(
        &self,
        name: &str,
        meaning: fn(u8) -> Option<T>,
        hint: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name, usize::MAX)? else { return Ok(None) };
        let number = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
        number.and_then(meaning).map(Some).ok_or_else(|| invalid(&self.path_of(name), hint))
    }

    /// `0`, `1`, `false` or `true`; false when it is absent or empty.
    pub fn flag(&self, name: &str) -> Result<bool, Refusal> {
        let text = self.text(name, usize::MAX)?.unwrap_or_default();
        match text.to_ascii_lowercase().as_str() {
            "" | "0" | "false" => Ok(false),
            "1" | "true" => Ok(true),
            _ => Err(invalid(&self.path_of(name), "write 0 or 1")),
        }
    }
}

fn children<'t>(element: &'t Element<'t>, name: &str) -> impl Iterator<Item = &'t Element<'t>> {
    element.children.iter().filter(move |child| child.is_edxml && child.name == name)
}

fn text_of(
    element: &Element<'_>,
    chars_max: usize,
    path: impl FnOnce() -> String,
) -> Result<Option<String>, Refusal> {
    if !element.children.is_empty() {
        return Err(malformed("elements stand where a text belongs", "write a text").field(path()));
    }
    let text = element.text.trim();
    // Characters take a byte or more, so the usual text needs no counting.
    if text.len() > chars_max && text.chars().count() > chars_max {
        return Err(too_long(&path(), text.chars().count(), chars_max));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn organ_of(element: &Element<'_>, path: impl FnOnce() -> String) -> Result<Option<OrganId>, Refusal> {
    match OrganId::parse(&element.text) {
        Ok(organ) => Ok(Some(organ)),
        Err(ParseOrganIdError::Missing) => Ok(None),
        Err(error) => Err(Refusal::new(Reason::InvalidOrganId, error.to_string())
            .field(path())
            .hint("write an organ id as H57.12 or 000.00.12.H57")),
    }
}
