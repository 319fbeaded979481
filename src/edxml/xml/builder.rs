//! The tree, built from the events of a namespace-aware pull parser.

use std::borrow::Cow;

use quick_xml::events::Event;
use quick_xml::name::{NamespaceResolver, QName};
use quick_xml::reader::NsReader;

use super::super::layout::Layout;
use super::super::limits::{DEPTH_MAX, ELEMENTS_MAX, TEXT_BYTES_MAX};
use super::super::refusals::malformed;
use super::checks::{
    Belonging, WELL_FORMED, belonging, check_attributes, check_declaration, not_well_formed, unbound,
};
use super::{Element, characters};
use crate::domain::refusal::{Reason, Refusal};

pub(super) fn build(text: &str) -> Result<Element<'_>, Refusal> {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut builder =
        Builder { text, open: Vec::new(), root: None, elements: 0, signature: 0, payload: None };
    loop {
        let before = position(&reader);
        let (namespace, event) = match reader.read_resolved_event() {
            Ok((namespace, event)) => (belonging(&namespace), event),
            Err(error) => return Err(not_well_formed(&error).fact("byte", reader.error_position())),
        };
        if matches!(event, Event::Eof) {
            return builder.finish();
        }
        let after = position(&reader);
        builder
            .take(event, namespace, reader.resolver(), before..after)
            .map_err(|refusal| refusal.fact("byte", before))?;
    }
}

fn position(reader: &NsReader<&[u8]>) -> usize {
    reader.buffer_position() as usize
}

/// Base64 content being passed over.
struct Payload {
    start: usize,
    sections: usize,
}

struct Builder<'x> {
    text: &'x str,
    open: Vec<Element<'x>>,
    root: Option<Element<'x>>,
    elements: usize,
    /// How many elements of a signature are open; nothing in it is kept.
    signature: usize,
    payload: Option<Payload>,
}

impl<'x> Builder<'x> {
    fn take(
        &mut self,
        event: Event<'x>,
        namespace: Belonging,
        resolver: &NamespaceResolver,
        span: std::ops::Range<usize>,
    ) -> Result<(), Refusal> {
        match event {
            Event::Start(start) => {
                let href = check_attributes(&start, resolver)?;
                let name = self.text.get(span.start + 1..).and_then(|tag| tag.get(..start.name().0.len()));
                let name = name.expect("an event lies where the parser says it does");
                self.open(QName(name).local_name().into_inner(), namespace, href, span.end)
            }
            Event::End(_) => self.close(span.start),
            Event::Text(_) | Event::GeneralRef(_) if self.payload.is_some() => Ok(()),
            Event::CData(_) if self.payload.is_some() => {
                self.payload.iter_mut().for_each(|p| p.sections += 1);
                Ok(())
            }
            Event::Text(text) => self.text(text.xml10_content()),
            Event::CData(section) => self.text(section.xml10_content()),
            Event::GeneralRef(reference) => self.text(characters::resolve(&reference)?),
            Event::Comment(_) | Event::PI(_) => self.interrupt(),
            Event::Decl(declaration) => check_declaration(&declaration, span.start),
            Event::DocType(_) => {
                Err(malformed("the file has a document type declaration", "leave <!DOCTYPE out"))
            }
            Event::Empty(_) | Event::Eof => Ok(()),
        }
    }

    fn open(
        &mut self,
        name: &'x str,
        namespace: Belonging,
        href: Option<String>,
        content: usize,
    ) -> Result<(), Refusal> {
        self.elements += 1;
        if namespace == Belonging::Unbound {
            return Err(unbound());
        }
        if self.elements > ELEMENTS_MAX {
            return Err(malformed(
                "the file has too many elements",
                &format!("at most {ELEMENTS_MAX} are read"),
            ));
        }
        if self.open.len() + self.signature >= DEPTH_MAX {
            return Err(malformed(
                "elements are nested too deeply",
                &format!("at most {DEPTH_MAX} levels are read"),
            ));
        }
        if self.root.is_some() {
            return Err(malformed("something follows the root element", WELL_FORMED));
        }
        if self.payload.is_some() {
            return Err(malformed("an element stands inside base64 content", "write only base64 there"));
        }
        if self.signature > 0 {
            self.signature += 1;
            return Ok(());
        }
        let parent = self.open.last_mut();
        if let Some(parent) = parent {
            parent.refuse_mixture()?;
            parent.text = Cow::Borrowed("");
            if carries_base64(name, parent.name) {
                self.payload = Some(Payload { start: content, sections: 0 });
            }
        }
        let is_edxml = namespace == Belonging::Edxml;
        self.open.push(Element { name, is_edxml, href, ..Element::default() });
        self.signature = usize::from(name == "Signature");
        Ok(())
    }

    fn close(&mut self, content_end: usize) -> Result<(), Refusal> {
        if self.signature > 1 {
            self.signature -= 1;
            return Ok(());
        }
        self.signature = 0;
        let mut element = self.open.pop().expect("the parser pairs end tags with start tags");
        if let Some(payload) = self.payload.take() {
            element.encoded = Some(base64_of(
                self.text.get(payload.start..content_end).unwrap_or_default(),
                payload.sections,
            )?);
        }
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, piece: Cow<'x, str>) -> Result<(), Refusal> {
        if self.signature > 0 {
            return Ok(());
        }
        let blank = piece.bytes().all(|b| b.is_ascii_whitespace());
        let Some(element) = self.open.last_mut() else {
            return match (blank, self.root.is_some()) {
                (true, _) => Ok(()),
                (false, true) => Err(malformed("something follows the root element", WELL_FORMED)),
                (false, false) => {
                    Err(malformed("bytes stand before the XML declaration", "begin the file with <?xml"))
                }
            };
        };
        if blank && !element.children.is_empty() {
            return Ok(());
        }
        characters::check(&piece)?;
        if element.text.len() + piece.len() > TEXT_BYTES_MAX {
            return Err(self.endless_text());
        }
        match element.text.is_empty() {
            true => element.text = piece,
            false => element.text.to_mut().push_str(&piece),
        }
        match element.children.is_empty() {
            true => Ok(()),
            false => element.refuse_mixture(),
        }
    }

    /// A comment or processing instruction. Readers differ in what they make of one inside a value, so none may be there.
    fn interrupt(&mut self) -> Result<(), Refusal> {
        let in_value = self.signature == 0
            && self
                .open
                .last()
                .is_some_and(|element| element.children.is_empty() && !element.text.trim().is_empty());
        if in_value || self.payload.is_some() {
            return Err(malformed("a comment or processing instruction stands inside a value", "remove it"));
        }
        Ok(())
    }

    fn endless_text(&self) -> Refusal {
        let below = |element: &&Element<'_>| !Layout::is_above_paths(element.name);
        let path: Vec<&str> = self.open.iter().skip(1).filter(below).map(|element| element.name).collect();
        Refusal::new(
            Reason::FieldTooLong,
            format!("a text of the header has more than {TEXT_BYTES_MAX} bytes"),
        )
        .field(path.join("."))
        .hint("shorten it to what the field allows")
        .fact("limit", TEXT_BYTES_MAX)
    }

    fn finish(self) -> Result<Element<'x>, Refusal> {
        if !self.open.is_empty() {
            return Err(malformed("the file ends before its elements are closed", "send the whole file"));
        }
        self.root.ok_or_else(|| malformed("the file has no root element", "send an edXML file"))
    }
}

impl Element<'_> {
    /// Refuses text beside elements where the standard has one or the other.
    fn refuse_mixture(&self) -> Result<(), Refusal> {
        match self.is_edxml && !self.text.trim_ascii().is_empty() {
            true => {
                Err(malformed("text and elements are mixed in one element", "keep them apart")
                    .field(self.name))
            }
            false => Ok(()),
        }
    }
}

/// `ContentTransferEncoded`, or `Content` of an older `Attachment`.
fn carries_base64(name: &str, parent: &str) -> bool {
    name == "ContentTransferEncoded" || (name == "Content" && parent == "Attachment")
}

/// The base64 between two tags: plain, or wholly inside one CDATA section.
fn base64_of(content: &str, sections: usize) -> Result<&[u8], Refusal> {
    let inner = match sections {
        0 => Some(content),
        1 => content.trim().strip_prefix("<![CDATA[").and_then(|c| c.strip_suffix("]]>")),
        _ => None,
    };
    inner.map(str::as_bytes).ok_or_else(|| {
        malformed("base64 content is split by CDATA sections", "write it plainly or in one section")
    })
}
