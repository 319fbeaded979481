//! Callers that may not do what they ask for: by their role, their organ, or the organ they name.

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair};
use tonic::Status;
use truc::identity::pki::Issued;
use truc::proto::v1;

use super::Door;
use super::table::Table;
use crate::support::{Agency, document, soon};

const SENDER: &str = "submission.sender";

fn from(sender: &str) -> v1::Submission {
    v1::Submission { sender: sender.into(), ..document("bad-caller", &["H49"], b"x".to_vec()) }
}

/// A certificate of the CA for nobody in particular.
fn nobody(door: &Door) -> Issued {
    let read = |name: &str| std::fs::read_to_string(door.site.path("pki").join(name)).unwrap();
    let ca = Issuer::from_ca_cert_pem(&read("ca.crt"), KeyPair::from_pem(&read("ca.key")).unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["nobody.example".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &ca).unwrap();
    let issued = Issued {
        certificate: door.site.path("nobody.crt"),
        key: door.site.path("nobody.key"),
        serial: String::new(),
    };
    std::fs::write(&issued.certificate, certificate.pem()).unwrap();
    std::fs::write(&issued.key, key.serialize_pem()).unwrap();
    issued
}

/// What a collector's stream ends with, at its start or later.
async fn collect(caller: &Agency, open: v1::CollectOpen) -> Result<(), Status> {
    caller.try_collect(open).await?.end().await.map_or(Ok(()), Err)
}

pub async fn rows(door: &Door, table: &mut Table) {
    roles(door, table).await;
    senders(door, table).await;
    readers(door, table).await;
}

async fn roles(door: &Door, table: &mut Table) {
    let operator = door.site.channel(&door.gateway, &door.site.operator("lan")).await;
    let operator = Agency::new(operator, "operator");
    let stranger = Agency::new(door.site.channel(&door.gateway, &nobody(door)).await, "nobody");
    let callers = [(operator, "OPERATOR_NOT_ALLOWED"), (stranger.clone(), "CERTIFICATE_WITHOUT_ROLE")];
    for (caller, reason) in callers {
        let (name, mut calls) = (caller.id.clone(), caller.exchange.clone());
        table.row(&format!("{name} submits"), caller.submit(from("")).await, reason, "");
        table.row(&format!("{name} fetches"), calls.fetch(v1::FetchRequest::default()).await, reason, "");
        let settled = calls.settle(v1::SettleRequest::default()).await;
        table.row(&format!("{name} settles"), settled, reason, "");
        let watched = calls.watch_receipts(v1::WatchReceiptsRequest::default()).await;
        table.row(&format!("{name} watches"), watched.map(drop), reason, "");
        let listed = calls.list_received(v1::ListReceivedRequest::default()).await;
        table.row(&format!("{name} lists"), listed, reason, "");
        let collected = collect(&caller, v1::CollectOpen::default()).await;
        table.row(&format!("{name} collects"), collected, reason, "");
        let stream = calls.submit_stream(tokio_stream::pending()).await;
        table.row(&format!("{name} opens a SubmitStream"), stream.map(drop), reason, "");
    }
    let read = stranger.directory.clone().get_organ(v1::GetOrganRequest { organ_id: "H49".into() }).await;
    table.row("nobody reads the directory", read, "CERTIFICATE_WITHOUT_ROLE", "");
    let unknown = door.site.agency(&door.gateway, "K77").await;
    let reason = "CERTIFICATE_ORGAN_UNKNOWN";
    table.row("an organ not in the directory submits", unknown.submit(from("")).await, reason, "");
    let fetched = unknown.exchange.clone().fetch(v1::FetchRequest::default()).await;
    table.row("an organ not in the directory fetches", fetched, reason, "");
    let closed = door.site.agency(&door.gateway, "H02").await;
    table.row("a closed organ submits", closed.submit(from("")).await, "SENDER_CLOSED", SENDER);
}

async fn senders(door: &Door, table: &mut Table) {
    let i01 = door.site.agency(&door.gateway, "I01").await;
    let h49_12 = door.site.agency(&door.gateway, "H49.12").await;
    let reason = "NOT_ACTING_FOR_ORGAN";
    table.row("for another organ", door.submit(from("H49")).await, reason, SENDER);
    table.row("for one above", h49_12.submit(from("H49")).await, reason, SENDER);
    table.row("for one beside", h49_12.submit(from("H49.14")).await, reason, SENDER);
    table.row("for one below, not allowed to", i01.submit(from("I01.1")).await, reason, SENDER);
    table.row("for one below one that forbids it", door.h49.submit(from("H49.14.1")).await, reason, SENDER);
    table.row(
        "for one below that is not open",
        door.h49.submit(from("H49.98")).await,
        "SENDER_CLOSED",
        SENDER,
    );
    table.row("for what is no organ", door.submit(from("VPCP")).await, "INVALID_ORGAN_ID", SENDER);

    let below = v1::Submission { message_id: "good-below".into(), ..from("000.00.12.H49") };
    let accepted = door.h49.submit(below).await.unwrap();
    table.holds("for one below, allowed to", accepted.receipt.unwrap().sender == "H49.12");
}

async fn readers(door: &Door, table: &mut Table) {
    let mut calls = door.g22.exchange.clone();
    let (reason, organ) = ("NOT_ACTING_FOR_ORGAN", "H49".to_owned());
    let fetch = v1::FetchRequest { organ: organ.clone(), ..Default::default() };
    table.row("another's mailbox", calls.fetch(fetch).await, reason, "organ");
    let settle = v1::SettleRequest { organ: organ.clone(), settlements: vec![super::nobody()] };
    table.row("another's settlements", calls.settle(settle).await, reason, "organ");
    let watch = v1::WatchReceiptsRequest { organ: organ.clone(), ..Default::default() };
    table.row("another's receipts", calls.watch_receipts(watch).await.map(drop), reason, "organ");
    let sent = v1::ListSentRequest { organ: organ.clone(), ..Default::default() };
    table.row("what another sent", calls.list_sent(sent).await, reason, "organ");
    let received = v1::ListReceivedRequest { organ: organ.clone(), ..Default::default() };
    table.row("what another received", calls.list_received(received).await, reason, "organ");
    let open = v1::CollectOpen { organ, ..Default::default() };
    let collected = collect(&door.g22, open).await;
    table.row("another's mailbox on a stream", collected, reason, "open.organ");
    let bad = v1::FetchRequest { organ: "H".into(), ..Default::default() };
    table.row("a mailbox of what is no organ", calls.fetch(bad).await, "INVALID_ORGAN_ID", "organ");

    let track = async |sender: &str, id: &str| soon("track", door.h49.track(sender, id)).await;
    let reason = "MESSAGE_NOT_FOUND";
    table.row("a message that never was", track("G22", "never").await, reason, "message_id");
    table.row("an id that cannot be one", track("G22", "a b").await, reason, "message_id");
    table.row("no message id", track("G22", "").await, "MISSING_FIELD", "message_id");
    table.row("a sender that is none", track("?", "good-before").await, "INVALID_ORGAN_ID", "sender");
    let other = door.site.agency(&door.gateway, "H05").await;
    table.row("a message of others", other.track("G22", "good-before").await, reason, "message_id");
}
