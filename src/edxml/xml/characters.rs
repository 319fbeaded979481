//! Character data: which characters XML 1.0 allows, and what references stand for.

use std::borrow::Cow;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::BytesRef;

use super::super::refusals::malformed;
use crate::domain::refusal::Refusal;

/// What `&...;` stands for: a character reference or one of the five predefined entities.
pub(super) fn resolve<'x>(reference: &BytesRef<'x>) -> Result<Cow<'x, str>, Refusal> {
    if let Some(replacement) = resolve_predefined_entity(reference) {
        return Ok(replacement.into());
    }
    if !reference.is_char_ref() {
        return Err(malformed(
            "an entity is used that XML does not predefine",
            "only &lt; &gt; &amp; &quot; &apos; and character references are read",
        ));
    }
    let character = reference.resolve_char_ref().ok().flatten().filter(|c| is_allowed(*c));
    let character = character.ok_or_else(|| forbidden("a character reference"))?;
    Ok(character.to_string().into())
}

/// Refuses the characters XML 1.0 forbids.
pub(super) fn check(text: &str) -> Result<(), Refusal> {
    let suspect = text.bytes().any(|b| (b < b' ' && !b.is_ascii_whitespace()) || b == 0x0C || b == 0xEF);
    if suspect && !text.chars().all(is_allowed) {
        return Err(forbidden("a text"));
    }
    Ok(())
}

/// Whether XML 1.0 allows a character.
pub(in crate::edxml) fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

fn forbidden(what: &str) -> Refusal {
    malformed(
        &format!("{what} holds a character XML does not allow"),
        "remove control characters from the header",
    )
}
