//! Cursors and pages: made up, of others, changed, beyond what there is.

use tonic::Status;
use truc::proto::v1;

use super::Door;
use super::table::Table;
use crate::support::{document, soon};

const REASON: &str = "INVALID_CURSOR";

async fn watch(door: &Door, cursor: &str) -> Result<(), Status> {
    let request = v1::WatchReceiptsRequest { cursor: cursor.into(), until_now: true, ..Default::default() };
    soon("receipts", door.g22.exchange.clone().watch_receipts(request)).await.map(drop)
}

async fn sent(door: &Door, page_size: u32, token: &str) -> Result<v1::ListSentResponse, Status> {
    let request = v1::ListSentRequest { page_size, page_token: token.into(), ..Default::default() };
    door.g22.exchange.clone().list_sent(request).await.map(tonic::Response::into_inner)
}

async fn received(door: &Door, page_size: u32, token: &str) -> Result<v1::ListReceivedResponse, Status> {
    let request = v1::ListReceivedRequest { page_size, page_token: token.into(), ..Default::default() };
    door.g22.exchange.clone().list_received(request).await.map(tonic::Response::into_inner)
}

async fn organs(
    door: &Door,
    page_size: u32,
    token: &str,
    below: &str,
) -> Result<v1::ListOrgansResponse, Status> {
    let request = v1::ListOrgansRequest {
        page_size,
        page_token: token.into(),
        at_or_below: below.into(),
        ..Default::default()
    };
    door.g22.directory.clone().list_organs(request).await.map(tonic::Response::into_inner)
}

pub async fn rows(door: &Door, table: &mut Table) {
    door.h49.submit(document("good-h49", &["G22"], b"x".to_vec())).await.unwrap();
    let (_, cursor) = door.g22.receipts("").await;
    let (_, of_h49) = door.h49.receipts("").await;
    let page = sent(door, 1, "").await.unwrap().next_page_token;
    let mut tampered = cursor.clone().into_bytes();
    tampered[5] = if tampered[5] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    for (name, given) in [
        ("a cursor made up", "garbage"),
        ("a cursor of other letters", "????"),
        ("a very long cursor", &"A".repeat(100_000)),
        ("a number for a cursor", "17"),
        ("a cursor cut short", &cursor[..cursor.len() - 1]),
        ("a cursor changed", &tampered),
        ("a cursor of another organ", &of_h49),
        ("a cursor of another log", &page),
        ("a cursor beyond the head", &truc_cursor("r|G22|1000000000")),
        ("a cursor beyond i64", &truc_cursor("r|G22|9223372036854775809")),
        ("a cursor of the last number", &truc_cursor("r|G22|18446744073709551615")),
        ("a cursor below zero", &truc_cursor("r|G22|-1")),
    ] {
        table.row(name, watch(door, given).await, REASON, "cursor");
    }
    table.holds("the last cursor is good", watch(door, &cursor).await.is_ok());
    tokens(door, table, &cursor).await;
    sizes(door, table).await;
}

/// A cursor with a right check, as a forger who has read the source would write it.
fn truc_cursor(text: &str) -> String {
    use base64::Engine;
    use truc::domain::message::Hash;
    let check = Hash::of_parts([b"truc.v1 cursor".as_slice(), text.as_bytes()]);
    let bytes = [text.as_bytes(), &check.as_bytes()[..4]].concat();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

async fn tokens(door: &Door, table: &mut Table, cursor: &str) {
    let page = organs(door, 1, "", "").await.unwrap().next_page_token;
    let at = "page_token";
    table.row("a page of what was sent made up", sent(door, 1, "x").await, REASON, at);
    table.row("a cursor for a page of what was sent", sent(door, 1, cursor).await, REASON, at);
    table.row("a page that is no number", sent(door, 1, &truc_cursor("s|G22|x")).await, REASON, at);
    let last = sent(door, 1, &truc_cursor("s|G22|18446744073709551615")).await;
    table.row("a page of the last number", last, REASON, at);
    let last = received(door, 1, &truc_cursor("v|G22|9223372036854775809")).await;
    table.row("a page of what was received beyond i64", last, REASON, at);
    table.row("a page of what was received made up", received(door, 1, "x").await, REASON, at);
    table.row("a page of organs made up", organs(door, 1, "x", "").await, REASON, at);
    table.row("a page of organs for others", organs(door, 1, &page, "H49").await, REASON, at);
    table.row("a page after no organ", organs(door, 1, &truc_cursor("o||?"), "").await, REASON, at);
    table.holds("the next page is good", organs(door, 1, &page, "").await.is_ok());
}

async fn sizes(door: &Door, table: &mut Table) {
    let (reason, at) = ("INVALID_FIELD", "page_size");
    table.row("201 messages sent", sent(door, 201, "").await, reason, at);
    table.row("201 messages received", received(door, 201, "").await, reason, at);
    table.row("1,001 organs", organs(door, 1_001, "", "").await, reason, at);
    table.row("u32::MAX organs", organs(door, u32::MAX, "", "").await, reason, at);
    let below = organs(door, 1, "", "H").await;
    table.row("organs below none", below, "INVALID_ORGAN_ID", "at_or_below");
}
