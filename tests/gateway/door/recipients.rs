//! Recipients that are none, closed, twice or too many.

use tonic::Status;
use tonic_types::StatusExt;
use truc::proto::v1;

use super::Door;
use super::table::Table;
use crate::support::document;

/// A fact of a refusal.
fn fact(status: &Status, key: &str) -> String {
    let details = status.get_error_details();
    details.error_info().and_then(|info| info.metadata.get(key).cloned()).unwrap_or_default()
}

/// Name, recipients, reason, and the place of the one at fault.
const ROWS: &[(&str, &[&str], &str, usize)] = &[
    ("a name for an id", &["Quảng Ninh"], "INVALID_ORGAN_ID", 0),
    ("a level one that is none", &["H4"], "INVALID_ORGAN_ID", 0),
    ("an empty group", &["H49", "H49..1"], "INVALID_ORGAN_ID", 1),
    ("five groups", &["H49.1.2.3.4"], "INVALID_ORGAN_ID", 0),
    ("an id of 36 characters", &["H49.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], "INVALID_ORGAN_ID", 0),
    ("an id with a letter of another script", &["Н49"], "INVALID_ORGAN_ID", 0),
    ("an organ nobody knows", &["K99"], "UNKNOWN_RECIPIENT", 0),
    ("a good one and an unknown one", &["H49", "H49.99"], "UNKNOWN_RECIPIENT", 1),
    ("the same twice", &["H49", "G09", "H49"], "DUPLICATE_RECIPIENT", 2),
    ("the same in two forms", &["H49.12", "000.00.12.h49"], "DUPLICATE_RECIPIENT", 1),
    ("a closed one and its successor", &["H05", "H02"], "DUPLICATE_RECIPIENT", 1),
    ("a closed one twice", &["H02", "000.00.00.H02"], "DUPLICATE_RECIPIENT", 1),
    ("closed without a successor", &["K01"], "RECIPIENT_CLOSED", 0),
    ("closed with two successors", &["H49", "K02"], "RECIPIENT_CLOSED", 1),
    ("not open yet", &["K05"], "RECIPIENT_CLOSED", 0),
];

pub async fn rows(door: &Door, table: &mut Table) {
    for (name, to, reason, place) in ROWS {
        let answer = door.submit(document("bad-recipients", to, b"x".to_vec())).await;
        let field = format!("submission.document.header.recipients[{place}]");
        table.row(name, answer, reason, &field);
    }
    let many: Vec<String> = (1..=501).map(|n| format!("H49.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let answer = door.submit(document("bad-many", &many, b"x".to_vec())).await;
    let field = "submission.document.header.recipients[500]";
    table.row("501 recipients", answer, "TOO_MANY_RECIPIENTS", field);
    facts(door, table).await;
}

/// What programs read beside the reason.
async fn facts(door: &Door, table: &mut Table) {
    let refused =
        async |to: &str| door.submit(document("bad-facts", &[to], b"x".to_vec())).await.unwrap_err();
    let unknown = refused("H94").await;
    let near = fact(&unknown, "near_matches");
    table.holds(&format!("H94 may mean H49: {near}"), near.split(',').any(|id| id == "H49"));
    let split = fact(&refused("K02").await, "candidates");
    table.holds(&format!("the successors of K02 are named: {split}"), split == "K03,K04");
    let basis = fact(&refused("K01").await, "legal_basis");
    table.holds(&format!("the legal basis of a closing is named: {basis}"), basis == "QĐ thử");

    let lookup = |id: &str| v1::GetOrganRequest { organ_id: id.into() };
    let get = async |id: &str| door.g22.directory.clone().get_organ(lookup(id)).await;
    table.row("no organ to look up", get("").await, "MISSING_FIELD", "organ_id");
    table.row("a bad organ to look up", get("H4").await, "INVALID_ORGAN_ID", "organ_id");
    table.row("an unknown organ to look up", get("K99").await, "ORGAN_NOT_FOUND", "organ_id");
    let resolve = v1::ResolveRequest { organ_id: "?".into() };
    let resolved = door.g22.directory.clone().resolve(resolve).await;
    table.row("a bad organ to resolve", resolved, "INVALID_ORGAN_ID", "organ_id");
}
