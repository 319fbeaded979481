//! XML as an enemy may write it, read into a bounded tree that borrows from the file.

mod builder;
mod characters;
mod checks;

use std::borrow::Cow;

pub(super) use self::characters::is_allowed;
use super::refusals::malformed;
use crate::domain::refusal::Refusal;

/// One element. Its base64 content, where it has some, stays a slice of the file.
#[derive(Debug, Default)]
pub(super) struct Element<'x> {
    /// The name without its prefix.
    pub name: &'x str,
    /// In one of edXML's namespaces, or in none.
    pub is_edxml: bool,
    /// The value of an `xlink:href` attribute.
    pub href: Option<String>,
    /// The character data, white space at the ends included.
    pub text: Cow<'x, str>,
    /// What stands between the tags of an element that carries base64.
    pub encoded: Option<&'x [u8]>,
    /// The elements inside, in their order.
    pub children: Vec<Element<'x>>,
}

/// Reads a whole file and gives its root element.
///
/// Refused with MALFORMED_EDXML: anything but UTF-8, bytes before the XML declaration, a DTD, entities other than the
/// five predefined ones, unbound prefixes, what is not well-formed, what goes beyond the limits of [`super::limits`].
pub(super) fn parse(file: &[u8]) -> Result<Element<'_>, Refusal> {
    builder::build(decode(file)?)
}

fn decode(file: &[u8]) -> Result<&str, Refusal> {
    const UTF8: &str = "write the file in UTF-8 without a byte order mark";
    if file.trim_ascii().is_empty() {
        return Err(malformed("the file is empty", "send an edXML file"));
    }
    if file.starts_with(b"\xEF\xBB\xBF") {
        return Err(malformed("a byte order mark stands before the XML declaration", UTF8));
    }
    if file.starts_with(b"\xFF\xFE")
        || file.starts_with(b"\xFE\xFF")
        || file[..file.len().min(4)].contains(&0)
    {
        return Err(malformed("the file is UTF-16 or UTF-32", UTF8));
    }
    let text = std::str::from_utf8(file)
        .map_err(|e| malformed("the file is not UTF-8", UTF8).fact("byte", e.valid_up_to()))?;
    if !text.starts_with("<?xml") && text.trim_start().starts_with("<?xml") {
        return Err(malformed(
            "bytes stand before the XML declaration",
            "begin the file with <?xml, without white space before it",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
