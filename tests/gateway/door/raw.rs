//! Bytes that are not what a call takes: broken protobuf, broken gRPC framing, more than is allowed.

use std::future::poll_fn;
use std::pin::Pin;

use prost::Message;
use tonic::codegen::Body as _;
use tonic::{Code, Status};
use tower::ServiceExt;
use truc::domain::limits::ENVELOPE_BYTES_MAX;
use truc::proto::v1;

use super::table::Table;
use super::{Door, PAYLOAD_BYTES_MAX};
use crate::support::{document, soon};

const SUBMIT: &str = "DocumentExchangeService/Submit";
const SUBMIT_STREAM: &str = "DocumentExchangeService/SubmitStream";
const COLLECT: &str = "DocumentExchangeService/Collect";
/// Longer than a path to a field; no protobuf message begins so.
const GARBAGE: [u8; 64] = [0xff; 64];

/// One gRPC message as it goes over the wire.
fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    frame
}

/// Posts a body to a call as it is; gives the status of the answer.
async fn post(door: &Door, call: &str, body: Vec<u8>) -> Result<(), Status> {
    let request = http::Request::post(format!("https://{}/truc.v1.{call}", door.gateway.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(tonic::body::Body::new(axum::body::Body::from(body)))
        .unwrap();
    let response = soon(call, door.channel.clone().oneshot(request)).await.unwrap();
    let (head, mut body) = response.into_parts();
    let mut status = Status::from_header_map(&head.headers);
    while status.is_none() {
        let frame = soon(call, poll_fn(|cx| Pin::new(&mut body).poll_frame(cx))).await;
        let frame = frame.unwrap_or_else(|| panic!("{call}: trailers end the answer")).unwrap();
        status = frame.trailers_ref().and_then(Status::from_header_map);
    }
    match status {
        Some(status) if status.code() != Code::Ok => Err(status),
        _ => Ok(()),
    }
}

pub async fn rows(door: &Door, table: &mut Table) {
    messages(door, table).await;
    frames(door, table).await;
    sizes(door, table).await;
}

async fn messages(door: &Door, table: &mut Table) {
    let good = v1::SubmitRequest { submission: Some(document("bad-raw", &["H49"], b"x".to_vec())) };
    let good = good.encode_to_vec();
    let latin1 = v1::TrackRequest { message_id: "aaaa".into(), ..Default::default() }.encode_to_vec();
    let latin1 = latin1.into_iter().map(|b| if b == b'a' { 0xe0 } else { b }).collect::<Vec<_>>();
    let groups = [0xa3, 0x06].repeat(400);
    for (name, call, message) in [
        ("garbage", SUBMIT, GARBAGE.to_vec()),
        ("a message cut in half", SUBMIT, good[..good.len() / 2].to_vec()),
        ("a number where a message belongs", SUBMIT, vec![0x08, 0x01]),
        ("a text where a message belongs", SUBMIT, b"\x0a\x04text".to_vec()),
        ("a field longer than the message", SUBMIT, vec![0x0a, 0x7f, 0x00]),
        ("an end of no group", SUBMIT, vec![0x0c]),
        ("field number 0", SUBMIT, vec![0x00, 0x00]),
        ("groups nested deeper than anything", SUBMIT, groups),
        ("a text that is not UTF-8", "DocumentExchangeService/Track", latin1),
        ("garbage to Fetch", "DocumentExchangeService/Fetch", GARBAGE.to_vec()),
        ("garbage to Settle", "DocumentExchangeService/Settle", GARBAGE.to_vec()),
        ("garbage to WatchReceipts", "DocumentExchangeService/WatchReceipts", GARBAGE.to_vec()),
        ("garbage to ListSent", "DocumentExchangeService/ListSent", GARBAGE.to_vec()),
        ("garbage to GetOrgan", "DirectoryService/GetOrgan", GARBAGE.to_vec()),
        ("garbage on SubmitStream", SUBMIT_STREAM, GARBAGE.to_vec()),
        ("garbage on Collect", COLLECT, GARBAGE.to_vec()),
    ] {
        table.row(name, post(door, call, framed(&message)).await, "MALFORMED_REQUEST", "");
    }
}

async fn frames(door: &Door, table: &mut Table) {
    let cut = framed(&[0; 100])[..50].to_vec();
    for (name, call, body) in [
        ("no message at all", SUBMIT, Vec::new()),
        ("a frame shorter than it says", SUBMIT, cut.clone()),
        ("a frame's head cut", SUBMIT, vec![0, 0, 0]),
        ("compressed, and no encoding named", SUBMIT, b"\x01\0\0\0\x02ab".to_vec()),
        ("a flag that is none", SUBMIT, b"\x02\0\0\0\x02ab".to_vec()),
        ("a frame on SubmitStream shorter than it says", SUBMIT_STREAM, cut.clone()),
        ("compressed on SubmitStream", SUBMIT_STREAM, b"\x01\0\0\0\x02ab".to_vec()),
        ("a frame on Collect shorter than it says", COLLECT, cut),
        ("compressed on Collect", COLLECT, b"\x01\0\0\0\x02ab".to_vec()),
    ] {
        table.row(name, post(door, call, body).await, "MALFORMED_REQUEST", "");
    }
}

async fn sizes(door: &Door, table: &mut Table) {
    let over = vec![0; PAYLOAD_BYTES_MAX + ENVELOPE_BYTES_MAX + 1];
    let endless = b"\0\xff\xff\xff\xff".to_vec();
    for (name, call, body) in [
        ("a request over the limit", SUBMIT, framed(&over)),
        ("a frame of 4 GiB", SUBMIT, endless.clone()),
        ("a request over the limit on SubmitStream", SUBMIT_STREAM, framed(&over)),
        ("a frame of 4 GiB on SubmitStream", SUBMIT_STREAM, endless.clone()),
        ("a request over the limit on Collect", COLLECT, framed(&over)),
        ("a look-up over the limit", "DirectoryService/GetOrgan", framed(&over)),
        ("a look-up of 4 GiB", "DirectoryService/GetOrgan", endless),
    ] {
        table.row(name, post(door, call, body).await, "PAYLOAD_TOO_LARGE", "");
    }
}
