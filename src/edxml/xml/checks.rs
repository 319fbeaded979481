//! What is checked at each tag: namespaces, attributes, the XML declaration; and what the parser's errors mean.

use quick_xml::XmlVersion;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::events::{BytesDecl, BytesStart};
use quick_xml::name::{Namespace, NamespaceError, NamespaceResolver, ResolveResult};

use super::super::limits::ATTRIBUTES_MAX;
use super::super::refusals::malformed;
use crate::domain::refusal::Refusal;

/// The standard's namespace and those of its predecessors.
const EDXML_NAMESPACES: [&str; 3] =
    ["http://www.mic.gov.vn/TBT/QCVN_102_2016", "http://www.go.vn/eDoc", "http://www.e-doc.vn/Schema/"];
const XLINK: &str = "http://www.w3.org/1999/xlink";
pub(super) const WELL_FORMED: &str = "write well-formed XML";

/// Whose an element is, by its namespace.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Belonging {
    Edxml,
    Foreign,
    Unbound,
}

pub(super) fn belonging(namespace: &ResolveResult<'_>) -> Belonging {
    match namespace {
        ResolveResult::Unbound => Belonging::Edxml,
        ResolveResult::Bound(Namespace(uri)) if EDXML_NAMESPACES.contains(uri) => Belonging::Edxml,
        ResolveResult::Bound(_) => Belonging::Foreign,
        ResolveResult::Unknown(_) => Belonging::Unbound,
    }
}

pub(super) fn check_declaration(declaration: &BytesDecl<'_>, at: usize) -> Result<(), Refusal> {
    if at != 0 {
        return Err(malformed("bytes stand before the XML declaration", "begin the file with <?xml"));
    }
    if declaration.version().ok().as_deref() != Some("1.0") {
        return Err(malformed("the XML declaration does not say version 1.0", "write <?xml version=\"1.0\""));
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8") => Ok(()),
        Some(_) => {
            Err(malformed("the XML declaration names another encoding than UTF-8", "write the file in UTF-8"))
        }
    }
}

/// Checks number, syntax and prefixes; gives the value of `xlink:href`.
pub(super) fn check_attributes(
    start: &BytesStart<'_>,
    resolver: &NamespaceResolver,
) -> Result<Option<String>, Refusal> {
    let mut href = None;
    for (index, attribute) in start.attributes().enumerate() {
        if index >= ATTRIBUTES_MAX {
            return Err(malformed(
                "an element has too many attributes",
                &format!("at most {ATTRIBUTES_MAX} are read"),
            ));
        }
        let attribute = attribute.map_err(|_| malformed("an attribute is not well-formed", WELL_FORMED))?;
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|_| malformed("an attribute refers to an entity XML does not predefine", WELL_FORMED))?;
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        let (namespace, local) = resolver.resolve_attribute(attribute.key);
        match namespace {
            ResolveResult::Unknown(_) => return Err(unbound()),
            ResolveResult::Bound(Namespace(XLINK)) if local.into_inner() == "href" => {
                href = Some(value.into_owned())
            }
            ResolveResult::Bound(_) | ResolveResult::Unbound => {}
        }
    }
    Ok(href)
}

pub(super) fn unbound() -> Refusal {
    malformed(
        "a prefix is not bound to a namespace",
        "declare it with xmlns:prefix on the element or above it",
    )
}

pub(super) fn not_well_formed(error: &Error) -> Refusal {
    match error {
        Error::IllFormed(IllFormedError::MismatchedEndTag { .. } | IllFormedError::UnmatchedEndTag(_)) => {
            malformed("a start tag and its end tag do not match", WELL_FORMED)
        }
        Error::Syntax(_) | Error::IllFormed(IllFormedError::MissingEndTag(_)) => {
            malformed("a tag, comment or section is not closed", "send the whole file, as well-formed XML")
        }
        Error::Namespace(NamespaceError::TooManyBindings(_)) => {
            malformed("the file binds too many namespace prefixes", WELL_FORMED)
        }
        _ => malformed("the file is not well-formed XML", WELL_FORMED),
    }
}
