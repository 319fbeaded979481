//! Whole files: what is read from good ones, and what each bad one gets.

mod limits;
mod reading;
mod refusing;
mod robustness;

use super::*;
use crate::domain::refusal::Reason;
use crate::domain::status::StatusCode;

const NEW: &str = include_str!("../../tests/fixtures/edxml/new.edxml");
const UPDATE: &str = include_str!("../../tests/fixtures/edxml/update.edxml");
const REPLACEMENT: &str = include_str!("../../tests/fixtures/edxml/replacement.edxml");
const REVOCATION: &str = include_str!("../../tests/fixtures/edxml/revocation.edxml");
const REFUSED: &str = include_str!("../../tests/fixtures/edxml/status_02.edxml");

fn document(file: &str) -> Document {
    match read(file.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}")) {
        Edxml::Document(document) => *document,
        Edxml::Status(_) => panic!("not a document"),
    }
}

fn status(file: &str) -> Status {
    match read(file.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}")) {
        Edxml::Status(status) => *status,
        Edxml::Document(_) => panic!("not a status"),
    }
}

/// The file with one text changed, which must be there.
fn changed(file: &str, from: &str, to: &str) -> String {
    assert!(file.contains(from), "{from}");
    file.replacen(from, to, 1)
}

/// The file without its first element of that name.
fn without(file: &str, name: &str) -> String {
    let (start, end) = (format!("<edXML:{name}>"), format!("</edXML:{name}>"));
    let from = file.find(&start).expect(name);
    let to = from + file[from..].find(&end).expect(name) + end.len();
    format!("{}{}", &file[..from], &file[to..])
}

fn assert_refused(file: &str, reason: Reason, field: &str) {
    let refusal = read(file.as_bytes()).expect_err(field);
    assert_eq!((refusal.reason(), refusal.field_path()), (reason, field), "{refusal}");
    assert!(!refusal.hint_text().is_empty(), "{refusal}");
}
