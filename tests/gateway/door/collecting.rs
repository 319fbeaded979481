//! Collectors that break the rules of their stream, and bounds they may not pass.

use prost_types::Duration;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use truc::proto::v1::collect_request::Request;
use truc::proto::v1::{self, CollectOpen};

use super::Door;
use super::table::Table;
use crate::support::soon;

const VIOLATION: &str = "PROTOCOL_VIOLATION";

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

/// Sends requests on a new stream; gives what the stream ended with.
async fn collect(door: &Door, requests: Vec<Option<Request>>) -> Result<(), Status> {
    let (sender, queue) = tokio::sync::mpsc::channel(8);
    for request in requests {
        sender.send(v1::CollectRequest { request }).await.unwrap();
    }
    let mut calls = door.h49.exchange.clone();
    let mut responses = soon("collect", calls.collect(ReceiverStream::new(queue))).await?.into_inner();
    while soon("the end of a collector", responses.message()).await?.is_some() {}
    // Only now, so that it was not the end of the requests that ended it.
    drop(sender);
    Ok(())
}

fn open() -> Option<Request> {
    Some(Request::Open(CollectOpen::default()))
}

fn settle(count: usize) -> Option<Request> {
    Some(Request::Settle(v1::CollectSettle { settlements: vec![super::nobody(); count] }))
}

pub async fn rows(door: &Door, table: &mut Table) {
    let rows = [
        ("settles before it opens", vec![settle(1)], VIOLATION, "request"),
        ("an empty request first", vec![None], VIOLATION, "request"),
        ("opens twice", vec![open(), open()], VIOLATION, "request"),
        ("an empty request later", vec![open(), None], VIOLATION, "request"),
        ("settles nothing", vec![open(), settle(0)], "MISSING_FIELD", "settlements"),
        ("settles 1,001", vec![open(), settle(1_001)], "INVALID_FIELD", "settlements"),
    ];
    for (name, requests, reason, field) in rows {
        table.row(&format!("a collector {name}"), collect(door, requests).await, reason, field);
    }
    let nothing = soon("collect", door.h49.exchange.clone().collect(tokio_stream::empty())).await.unwrap();
    let ended = soon("the end of a collector", nothing.into_inner().message()).await;
    table.row("a collector that says nothing", ended, VIOLATION, "request");
    bounds(door, table).await;
}

async fn bounds(door: &Door, table: &mut Table) {
    let reason = "INVALID_FIELD";
    let opens = [
        ("window 1,001", CollectOpen { window: 1_001, ..Default::default() }, "open.window"),
        ("window u32::MAX", CollectOpen { window: u32::MAX, ..Default::default() }, "open.window"),
        ("a lease of 4 s", CollectOpen { lease: seconds(4), ..Default::default() }, "open.lease"),
        (
            "a lease of an hour and a second",
            CollectOpen { lease: seconds(3_601), ..Default::default() },
            "open.lease",
        ),
        ("a lease below zero", CollectOpen { lease: seconds(-60), ..Default::default() }, "open.lease"),
    ];
    for (name, open, field) in opens {
        table.row(name, collect(door, vec![Some(Request::Open(open))]).await, reason, field);
    }
    let fetches = [
        ("101 deliveries", v1::FetchRequest { max_deliveries: 101, ..Default::default() }, "max_deliveries"),
        ("a fetch's lease of 0 s", v1::FetchRequest { lease: seconds(0), ..Default::default() }, "lease"),
        ("a wait of 61 s", v1::FetchRequest { wait: seconds(61), ..Default::default() }, "wait"),
        ("a wait below zero", v1::FetchRequest { wait: seconds(-1), ..Default::default() }, "wait"),
        ("a wait of i64::MAX s", v1::FetchRequest { wait: seconds(i64::MAX), ..Default::default() }, "wait"),
    ];
    for (name, fetch, field) in fetches {
        table.row(name, soon("fetch", door.h49.exchange.clone().fetch(fetch)).await, reason, field);
    }
}
