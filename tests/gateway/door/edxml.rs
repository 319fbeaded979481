//! edXML files that are refused: hostile ones, broken ones, and ones that do not follow the standard.

use std::io::{Cursor, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use truc::proto::v1;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::Door;
use super::table::Table;
use crate::support::edxml;

const NEW: &str = include_str!("../../fixtures/edxml/new.edxml");
const STATUS: &str = include_str!("../../fixtures/edxml/status_02.edxml");
const SUBJECT: &str = "V/v thử nghiệm liên thông &amp; bảo mật dữ liệu";
const FILE: &str = "submission.edxml.file";

/// The good file with one text changed, which must be there.
fn changed(from: &str, to: &str) -> String {
    assert!(NEW.contains(from), "{from}");
    NEW.replacen(from, to, 1)
}

/// The good file without the first element of that name.
fn without(file: &str, name: &str) -> String {
    let (start, end) = (format!("<edXML:{name}>"), format!("</edXML:{name}>"));
    let from = file.find(&start).expect(name);
    let to = from + file[from..].find(&end).expect(name) + end.len();
    format!("{}{}", &file[..from], &file[to..])
}

/// The good file with something between its declaration and its root.
fn with_doctype(doctype: &str) -> String {
    changed("?>\n<edXML ", &format!("?>\n{doctype}\n<edXML "))
}

/// The good file with another attachment.
fn with_attachment(content: &[u8]) -> String {
    let from = NEW.find("UEsDB").unwrap();
    let to = from + NEW[from..].find('<').unwrap();
    format!("{}{}{}", &NEW[..from], STANDARD.encode(content), &NEW[to..])
}

/// A ZIP of files that hold nothing but zeros.
fn zip_of_zeros(files: &[(&str, usize)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mib) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        let zeros = vec![0; 1024 * 1024];
        (0..*mib).for_each(|_| writer.write_all(&zeros).unwrap());
    }
    writer.finish().unwrap().into_inner()
}

fn malformed() -> Vec<(&'static str, String, String)> {
    let entities = "<!DOCTYPE e [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">\
                    <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>";
    let bomb = with_doctype(entities).replacen(SUBJECT, "&c;&c;&c;&c;", 1);
    let outside = "<!DOCTYPE e [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    let at = |field: &str| match field {
        "" => FILE.to_owned(),
        field => format!("{FILE}.{field}"),
    };
    let attachment = at("AttachmentEncoded.Attachment[1].ContentTransferEncoded");
    vec![
        ("a DTD", with_doctype("<!DOCTYPE edXML SYSTEM \"edxml.dtd\">"), at("")),
        ("an entity bomb", bomb, at("")),
        ("an entity from outside", with_doctype(outside).replacen(SUBJECT, "&x;", 1), at("")),
        ("an entity nobody defined", changed(SUBJECT, "&unknown;"), at("")),
        ("tags that do not match", changed("</edXML:Subject>", "</edXML:Object>"), at("")),
        ("a prefix that is not bound", changed("<edXML:Subject>", "<x:Subject>"), at("")),
        ("bytes before the declaration", format!(" {NEW}"), at("")),
        ("a file cut off", NEW[..NEW.find("<edXML:Subject>").unwrap()].to_owned(), at("")),
        ("another encoding", changed("UTF-8", "UTF-16"), at("")),
        ("no XML at all", "V/v kiểm thử".to_owned(), at("")),
        ("XML that is no edXML", "<html><body/></html>".to_owned(), at("")),
        ("elements nested 100,000 deep", "<a>".repeat(100_000), at("")),
        (
            "two subjects",
            changed("</edXML:Subject>", "</edXML:Subject><edXML:Subject/>"),
            at("MessageHeader.Subject"),
        ),
        ("a ZIP of two entries", with_attachment(&zip_of_zeros(&[("a", 1), ("b", 1)])), attachment.clone()),
        ("a ZIP bomb", with_attachment(&zip_of_zeros(&[("a", 201)])), attachment.clone()),
        ("a ZIP cut off", with_attachment(&zip_of_zeros(&[("a", 1)])[..200]), attachment.clone()),
        ("an attachment that is not base64", changed("UEsDB", "!!!!!"), attachment),
    ]
}

fn missing() -> Vec<(&'static str, String, &'static str)> {
    let no_answer = without(NEW, "ResponseFor");
    let null = changed("<edXML:OrganId>000.00.00.G22<", "<edXML:OrganId>null<");
    vec![
        ("no sender", without(NEW, "From"), "MessageHeader.From.OrganId"),
        ("no sender's id", without(NEW, "OrganId"), "MessageHeader.From.OrganId"),
        ("a sender null", null, "MessageHeader.From.OrganId"),
        ("no sender's name", without(NEW, "OrganName"), "MessageHeader.From.OrganName"),
        ("no recipient", without(&without(&no_answer, "To"), "To"), "MessageHeader.To"),
        ("no subject", without(NEW, "Subject"), "MessageHeader.Subject"),
        ("no code", without(&no_answer, "Code"), "MessageHeader.Code.CodeNumber"),
        ("no number", without(NEW, "CodeNumber"), "MessageHeader.Code.CodeNumber"),
        ("no notation", without(NEW, "CodeNotation"), "MessageHeader.Code.CodeNotation"),
        ("no date", without(NEW, "PromulgationDate"), "MessageHeader.PromulgationInfo.PromulgationDate"),
    ]
}

/// Name, text, what it becomes, reason and field.
const CHANGES: &[(&str, &str, &str, &str, &str)] = &[
    ("a repeated recipient", ">H02<", ">H49<", "DUPLICATE_RECIPIENT", "MessageHeader.To[2].OrganId"),
    ("an unknown recipient", ">H02<", ">K99<", "UNKNOWN_RECIPIENT", "MessageHeader.To[2].OrganId"),
    ("a closed recipient", ">H02<", ">K01<", "RECIPIENT_CLOSED", "MessageHeader.To[2].OrganId"),
    ("a recipient that is none", ">H02<", ">Sở<", "INVALID_ORGAN_ID", "MessageHeader.To[2].OrganId"),
    (
        "a date that is none",
        ">2025/07/02<",
        ">2025/02/30<",
        "INVALID_FIELD",
        "MessageHeader.PromulgationInfo.PromulgationDate",
    ),
    ("priority 5", "Priority>0<", "Priority>5<", "INVALID_FIELD", "MessageHeader.OtherInfo.Priority"),
    ("a number of 12", ">1234<", ">123456789012<", "FIELD_TOO_LONG", "MessageHeader.Code.CodeNumber"),
    ("a secret", SUBJECT, "[MẬT] Báo cáo", "STATE_SECRET", "MessageHeader.Subject"),
    (
        "another sender",
        "<edXML:OrganId>000.00.00.G22<",
        "<edXML:OrganId>G01<",
        "SENDER_MISMATCH",
        "MessageHeader.From.OrganId",
    ),
];

pub async fn rows(door: &Door, table: &mut Table) {
    for (name, file, field) in malformed() {
        table.row(name, door.submit(edxml("bad-edxml", file)).await, "MALFORMED_EDXML", &field);
    }
    for (name, file, field) in missing() {
        let answer = door.submit(edxml("bad-edxml", file)).await;
        table.row(name, answer, "MISSING_FIELD", &format!("{FILE}.{field}"));
    }
    for (name, from, to, reason, field) in CHANGES {
        let answer = door.submit(edxml("bad-edxml", changed(from, to))).await;
        table.row(name, answer, reason, &format!("{FILE}.{field}"));
    }
    let bytes = door.submit(edxml("bad-edxml", [0xff, 0xfe, 0x3c, 0x00])).await;
    table.row("UTF-16", bytes, "MALFORMED_EDXML", FILE);
    let empty = door.submit(edxml("bad-edxml", [])).await;
    table.row("an empty file", empty, "MISSING_FIELD", FILE);
    let status = door.h49.submit(edxml("bad-status", STATUS)).await;
    let document = format!("{FILE}.MessageHeader.ResponseFor.DocumentId");
    table.row("a status of a document nobody sent", status, "MESSAGE_NOT_FOUND", &document);
    let long = STATUS.replace("</edXML>", &format!("<!--{}--></edXML>", "x".repeat(70_000)));
    let long = door.h49.submit(edxml("bad-status", long)).await;
    table.row("a status of 70,000 bytes", long, "PAYLOAD_TOO_LARGE", FILE);
    let foreign = door.submit(edxml("bad-status", STATUS)).await;
    let from = format!("{FILE}.MessageHeader.From.OrganId");
    table.row("a status of another organ", foreign, "SENDER_MISMATCH", &from);
    let named = v1::Submission { sender: "H49".into(), ..edxml("bad-sender", NEW) };
    let field = format!("{FILE}.MessageHeader.From.OrganId");
    table.row("a sender beside the file's", door.submit(named).await, "SENDER_MISMATCH", &field);
    let foreign = door.h49.submit(edxml("bad-sender", NEW)).await;
    table.row("the file of another organ", foreign, "SENDER_MISMATCH", &field);
}
