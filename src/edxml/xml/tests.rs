//! What hostile or broken XML gets.

use super::super::limits::{ATTRIBUTES_MAX, DEPTH_MAX, ELEMENTS_MAX};
use super::*;
use crate::domain::refusal::Reason;

fn refused(file: impl AsRef<[u8]>) -> String {
    let refusal = parse(file.as_ref()).expect_err("must be refused");
    assert_eq!(refusal.reason(), Reason::MalformedEdxml);
    assert!(!refusal.hint_text().is_empty(), "{refusal}");
    refusal.message().to_owned()
}

fn nested(depth: usize) -> String {
    format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth))
}

fn with_attributes(count: usize) -> String {
    let attributes: Vec<String> = (0..count).map(|n| format!("a{n}=\"\"")).collect();
    format!("<a {}/>", attributes.join(" "))
}

#[test]
fn broken_and_hostile_files_are_refused_with_what_is_wrong() {
    let laughs = "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
    let outside = "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>";
    let bindings: String = (0..200).map(|n| format!(" xmlns:p{n}=\"urn:{n}\"")).collect();
    for (file, message) in [
        (String::new(), "is empty"),
        (" \r\n".into(), "is empty"),
        ("\u{FEFF}<?xml version=\"1.0\"?><a/>".into(), "byte order mark"),
        ("\n<?xml version=\"1.0\"?><a/>".into(), "before the XML declaration"),
        ("garbage<?xml version=\"1.0\"?><a/>".into(), "before the XML declaration"),
        ("<!-- --><?xml version=\"1.0\"?><a/>".into(), "before the XML declaration"),
        ("garbage".into(), "before the XML declaration"),
        ("<?xml version=\"1.1\"?><a/>".into(), "version 1.0"),
        ("<?xml encoding=\"UTF-8\"?><a/>".into(), "version 1.0"),
        ("<?xml version=\"1.0\" encoding=\"windows-1258\"?><a/>".into(), "another encoding"),
        ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>".into(), "another encoding"),
        ("<?xml version=\"1.0\"?>".into(), "no root"),
        ("<!-- only a comment -->".into(), "no root"),
        (laughs.into(), "document type"),
        (outside.into(), "document type"),
        ("<!DOCTYPE a><a/>".into(), "document type"),
        ("<a>&c;</a>".into(), "entity"),
        ("<a>&nbsp;</a>".into(), "entity"),
        ("<a b=\"&c;\"/>".into(), "entity"),
        ("<a>&#0;</a>".into(), "character"),
        ("<a>&#x1F;</a>".into(), "character"),
        ("<a>&#xFFFF;</a>".into(), "character"),
        ("<a>&#xD800;</a>".into(), "character"),
        ("<a>&#99999999999;</a>".into(), "character"),
        ("<a>\u{0}bcd</a>".into(), "UTF-16"),
        ("<abc>\u{0}</abc>".into(), "character"),
        ("<a>\u{8}</a>".into(), "character"),
        ("<a>\u{FFFE}</a>".into(), "character"),
        ("<a>fish & chips</a>".into(), "well-formed"),
        ("<p:a/>".into(), "prefix"),
        ("<a p:b=\"\"/>".into(), "prefix"),
        ("<a><b xmlns:p=\"urn:p\"/><p:c/></a>".into(), "prefix"),
        ("<a xmlns:p=\"\"><p:b/></a>".into(), "prefix"),
        ("<a><b></a></b>".into(), "do not match"),
        ("<p:a xmlns:p=\"urn:p\"></a>".into(), "do not match"),
        ("</a>".into(), "do not match"),
        ("<a>".into(), "ends before"),
        ("<a><b>".into(), "ends before"),
        ("<a><b".into(), "not closed"),
        ("<a><!-- ".into(), "not closed"),
        ("<a><![CDATA[ ".into(), "not closed"),
        ("<a/><b/>".into(), "follows the root"),
        ("<a/>garbage".into(), "follows the root"),
        ("<a/>&amp;".into(), "follows the root"),
        ("<a/><![CDATA[x]]>".into(), "follows the root"),
        ("<a b=\"1\" b=\"2\"/>".into(), "attribute"),
        ("<a b=1/>".into(), "attribute"),
        ("<a b/>".into(), "attribute"),
        (with_attributes(ATTRIBUTES_MAX + 1), "too many attributes"),
        (format!("<a{bindings}/>"), "too many namespace"),
        (nested(DEPTH_MAX + 1), "nested too deeply"),
        (nested(100_000), "nested too deeply"),
        (format!("<a><Signature>{}</Signature></a>", nested(DEPTH_MAX)), "nested too deeply"),
        (format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX)), "too many elements"),
        (format!("<Signature>{}</Signature>", "<b/>".repeat(ELEMENTS_MAX)), "too many elements"),
        ("<a>text<b/></a>".into(), "mixed"),
        ("<a><b/>text</a>".into(), "mixed"),
        ("<a>H<!-- -->49</a>".into(), "comment"),
        ("<a>H<?pi?>49</a>".into(), "comment"),
        ("<a><ContentTransferEncoded>QQ<b/>==</ContentTransferEncoded></a>".into(), "inside base64"),
        ("<a><ContentTransferEncoded>QQ<!-- -->==</ContentTransferEncoded></a>".into(), "comment"),
        ("<a><ContentTransferEncoded>QQ<![CDATA[==]]></ContentTransferEncoded></a>".into(), "CDATA"),
        (
            "<a><ContentTransferEncoded><![CDATA[QQ]]><![CDATA[==]]></ContentTransferEncoded></a>".into(),
            "CDATA",
        ),
    ] {
        let said = refused(&file);
        assert!(said.contains(message), "{}: {said}", file.chars().take(80).collect::<String>());
    }
}

#[test]
fn other_encodings_are_refused() {
    let text = "<?xml version=\"1.0\"?><a/>";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let marked: Vec<u8> =
        [0xFE, 0xFF].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    for file in [utf16, utf32, marked] {
        assert!(refused(file).contains("UTF-16"));
    }
    assert!(refused(b"<a>V\xE3n b\xB6n</a>").contains("not UTF-8"));
}

#[test]
fn what_is_allowed_is_read() {
    let file = "<?xml version='1.0' encoding='utf-8' standalone='yes'?>\r\n<?style x?><!-- c -->\n\
        <e:a xmlns:e=\"http://www.go.vn/eDoc\" xmlns:f=\"urn:f\">\r\n <!-- c --> <e:b>x &amp; y\r\nz &#x1EAD;<![CDATA[<&>]]></e:b>\
        <f:c>mixed <f:d/> text</f:c><e:ContentTransferEncoded/><ContentTransferEncoded> <![CDATA[QQ==]]></ContentTransferEncoded>\
        <e:Signature><e:x>&#1;</e:x></e:Signature></e:a ><!-- c --> \n";
    let file = file.replace("&#1;", "&amp;");
    let root = parse(file.as_bytes()).unwrap();
    assert_eq!((root.name, root.is_edxml, root.children.len()), ("a", true, 5));
    assert_eq!(root.children[0].text, "x & y\nz ậ<&>");
    assert!(!root.children[1].is_edxml);
    assert_eq!(root.children[2].encoded, Some(&b""[..]));
    assert_eq!(root.children[3].encoded, Some(&b"QQ=="[..]));
    assert!(root.children[4].children.is_empty());
    assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
    assert!(parse(with_attributes(ATTRIBUTES_MAX).as_bytes()).is_ok());
}
