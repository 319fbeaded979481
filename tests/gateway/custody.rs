//! What operators decide, and payloads that go when their time has come.

use std::path::Path;

use tonic::Code;
use tonic::transport::Channel;
use truc::proto::v1::operations_service_client::OperationsServiceClient;
use truc::proto::v1::{self, DeliveryCause, DeliveryState, ReceiptKind};

use crate::support::{Agency, Process, Site, delivered, document, edxml, reason, soon, until};

type Operator = OperationsServiceClient<Channel>;

async fn operator(site: &Site, gateway: &Process) -> Operator {
    OperationsServiceClient::new(site.channel(gateway, &site.operator("lan")).await)
}

async fn settled(agency: &Agency) {
    for delivery in agency.fetch(10, 10).await {
        agency.settle(vec![delivered(&delivery)]).await;
    }
}

async fn hold(
    operator: &Operator,
    held: v1::set_hold_request::Held,
    why: &str,
) -> Result<v1::Hold, tonic::Status> {
    let request = v1::SetHoldRequest { held: Some(held), reason: why.into() };
    Ok(soon("hold", operator.clone().set_hold(request)).await?.into_inner().hold.unwrap())
}

fn of_message(id: &str) -> v1::set_hold_request::Held {
    v1::set_hold_request::Held::Message(v1::HeldMessage { sender: "G22".into(), message_id: id.into() })
}

async fn is_purged(agency: &Agency, id: &str) -> bool {
    agency.track("G22", id).await.unwrap().envelope.unwrap().purge_time.is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_goes_after_its_time_unless_it_is_held() {
    let site = Site::new(&["retention.body_after = \"1s\""]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let lan = operator(&site, &gateway).await;
    for id in ["held", "gone", "open"] {
        g22.submit(document(id, &["H49"], b"x".to_vec())).await.unwrap();
        if id != "open" {
            settled(&h49).await;
        }
        if id == "held" {
            let set = hold(&lan, of_message(id), "thanh tra").await.unwrap();
            assert_eq!((&*set.set_by, &*set.reason, &*set.hold_id), ("lan", "thanh tra", "h1"));
            assert_eq!(hold(&lan, of_message(id), "thanh tra").await.unwrap(), set, "the same again");
        }
    }
    until("the payload is purged", async || is_purged(&g22, "gone").await).await;
    let story = g22.track("", "gone").await.unwrap();
    let kinds: Vec<_> = story.receipts.iter().map(v1::Receipt::kind).collect();
    assert_eq!(
        kinds,
        [ReceiptKind::Accepted, ReceiptKind::Offered, ReceiptKind::Delivered, ReceiptKind::Purged]
    );
    assert_eq!((&*story.receipts[3].asserted_by, &*story.receipts[3].delivery_id), ("gateway", ""));
    assert_eq!(story.receipts[3].payload_sha256, story.envelope.unwrap().payload_sha256);
    assert!(is_purged(&h49, "gone").await, "the recipient sees it too");
    assert!(g22.submit(document("gone", &["H49"], b"x".to_vec())).await.unwrap().repeated_submission);
    let late = hold(&lan, of_message("gone"), "muộn").await.unwrap_err();
    assert_eq!((late.code(), &*reason(&late)), (Code::FailedPrecondition, "PAYLOAD_PURGED"));
    // The open one is handed over whole, long after.
    assert_eq!(h49.fetch(1, 10).await[0].payload, b"x"[..]);
    assert!(!is_purged(&g22, "held").await);
    assert!(gateway.metric("truc_purged_messages_total").await >= 1.0);
    assert!(gateway.metric("truc_ledger_bytes").await > 0.0);
    let release = v1::ReleaseHoldRequest { hold_id: "h1".into(), reason: "xong".into() };
    let released =
        soon("release", lan.clone().release_hold(release)).await.unwrap().into_inner().hold.unwrap();
    assert_eq!((&*released.released_by, &*released.release_reason), ("lan", "xong"));
    assert_eq!(gateway.stop(), Some(0));

    // A restart forgets none of it.
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    until("what was held is purged", async || is_purged(&g22, "held").await).await;
    let story = g22.track("", "held").await.unwrap();
    let said: Vec<_> = story.receipts.iter().skip(3).map(|r| (r.kind(), &*r.asserted_by)).collect();
    assert_eq!(
        said,
        [
            (ReceiptKind::Held, "operator:lan"),
            (ReceiptKind::Released, "operator:lan"),
            (ReceiptKind::Purged, "gateway")
        ]
    );
    let lan = operator(&site, &gateway).await;
    let list = async |include_released| {
        let request = v1::ListHoldsRequest { include_released, ..Default::default() };
        soon("holds", lan.clone().list_holds(request)).await.unwrap().into_inner().holds
    };
    assert_eq!((list(true).await, list(false).await), (vec![released], vec![]));
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_file_goes_with_the_document() {
    let site = Site::new(&["retention.body_after = \"2s\""]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let fixture = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/edxml");
        std::fs::read(folder.join(name)).unwrap()
    };
    let accepted = g22.submit(edxml("m-1", fixture("new.edxml"))).await.unwrap();
    let held = h49.fetch(1, 10).await.remove(0);
    let filed = h49.submit(edxml("", fixture("status_01.edxml"))).await.unwrap().receipt.unwrap();
    h49.settle(vec![delivered(&held)]).await;
    for other in accepted.deliveries.iter().filter(|delivery| delivery.recipient != "H49") {
        settled(&site.agency(&gateway, &other.recipient).await).await;
    }
    let file = async |number| {
        let request = v1::GetStatusFileRequest { organ: String::new(), sender_sequence: number };
        g22.exchange.clone().get_status_file(request).await
    };
    assert!(soon("file", file(filed.sender_sequence)).await.unwrap().into_inner().original);
    until("the document is purged", async || is_purged(&g22, "m-1").await).await;
    let gone = soon("file", file(filed.sender_sequence)).await.unwrap_err();
    assert_eq!((gone.code(), &*reason(&gone)), (Code::FailedPrecondition, "PAYLOAD_PURGED"));
    // What was reported otherwise can still be made a file of.
    let report = v1::StatusReport {
        delivery_id: held.delivery_id,
        status: v1::BusinessStatus::Accepted.into(),
        ..Default::default()
    };
    let request = v1::ReportStatusRequest { organ: String::new(), reports: vec![report] };
    let reported = soon("report", h49.exchange.clone().report_status(request)).await.unwrap().into_inner();
    let number = reported.results[0].receipt.as_ref().unwrap().sender_sequence;
    assert!(!soon("file", file(number)).await.unwrap().into_inner().original);
    assert_eq!(gateway.stop(), Some(0));
}

/// Dead after one attempt: collected by a stream that ends.
async fn dies(agency: &Agency) {
    let mut collecting = agency.collect(1).await;
    collecting.deliveries().await;
    drop(collecting);
}

async fn dead_letters(operator: &Operator, organ: &str) -> Vec<v1::DeadLetter> {
    let filter = v1::DeadLetterFilter { organ: organ.into(), ..Default::default() };
    let request = v1::ListDeadLettersRequest { filter: Some(filter), page_size: 2, ..Default::default() };
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListDeadLettersRequest { page_token, ..request.clone() };
        let page = soon("list", operator.clone().list_dead_letters(request)).await.unwrap().into_inner();
        all.extend(page.dead_letters);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_replayed_and_discarded_by_operators() {
    let site = Site::new(&["delivery.attempts_max = 1", "delivery.prompt_attempts = 1"]);
    let gateway = site.start();
    let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
    let lan = operator(&site, &gateway).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let accepted = g22.submit(document(&format!("m-{n}"), &["H49"], b"x".to_vec())).await.unwrap();
        ids.push(accepted.deliveries[0].delivery_id.clone());
        dies(&h49).await;
        until("it is dead", async || dead_letters(&lan, "H49").await.len() == n + 1).await;
    }
    let letters = dead_letters(&lan, "").await;
    let found: Vec<_> = letters.iter().map(|l| l.delivery.as_ref().unwrap().delivery_id.clone()).collect();
    assert_eq!(found, ids);
    assert_eq!(dead_letters(&lan, "H05").await, []);
    assert_eq!((letters[0].cause(), &*letters[0].sender), (DeliveryCause::AttemptsExhausted, "G22"));

    let get = |id: &str| {
        let request = v1::GetDeadLetterRequest { delivery_id: id.into() };
        let mut operator = lan.clone();
        async move { operator.get_dead_letter(request).await }
    };
    let shown = soon("get", get(&ids[1])).await.unwrap().into_inner();
    assert_eq!(shown.dead_letter.unwrap(), letters[1]);
    assert_eq!(shown.envelope.unwrap().message_id, "m-1");
    assert_eq!(shown.receipts.last().unwrap().kind(), ReceiptKind::Dead);
    for none in ["d999", "x", "d0"] {
        assert_eq!(reason(&soon("get", get(none)).await.unwrap_err()), "DELIVERY_NOT_FOUND");
    }

    // One by name, with answers for names that are none.
    let request = v1::ReplayDeadLettersRequest {
        delivery_ids: vec![ids[0].clone(), "d999".into(), "x".into(), ids[0].clone()],
        reason: "hệ thống đã sửa".into(),
        ..Default::default()
    };
    let replayed =
        soon("replay", lan.clone().replay_dead_letters(request)).await.unwrap().into_inner().results;
    assert_eq!(replayed[0].state(), DeliveryState::Queued);
    let refused: Vec<_> = replayed[1..].iter().map(|r| r.refusal.as_ref().unwrap().reason()).collect();
    let not_found = v1::ErrorReason::DeliveryNotFound;
    assert_eq!(refused, [not_found, not_found, v1::ErrorReason::NotDeadLetter]);
    let again = h49.fetch(1, 10).await.remove(0);
    assert_eq!((&again.delivery_id, again.attempt), (&ids[0], 2));
    h49.settle(vec![delivered(&again)]).await;

    let request = v1::DiscardDeadLettersRequest {
        delivery_ids: vec![ids[1].clone()],
        reason: "gửi nhầm".into(),
        ..Default::default()
    };
    let discarded = soon("discard", lan.clone().discard_dead_letters(request)).await.unwrap().into_inner();
    assert_eq!(discarded.results[0].state(), DeliveryState::Cancelled);
    let story = g22.track("", "m-1").await.unwrap();
    let last = story.receipts.last().unwrap();
    assert_eq!((last.kind(), last.cause()), (ReceiptKind::Cancelled, DeliveryCause::Discarded));
    assert_eq!((&*last.asserted_by, &*last.reason), ("operator:lan", "gửi nhầm"));

    // The rest by a filter, in two calls.
    let filter = v1::DeadLetterFilter { organ: "H49".into(), cause: DeliveryCause::AttemptsExhausted.into() };
    let request =
        v1::ReplayDeadLettersRequest { filter: Some(filter), max_deliveries: 2, ..Default::default() };
    let first = soon("replay", lan.clone().replay_dead_letters(request.clone())).await.unwrap().into_inner();
    assert_eq!((first.results.len(), first.more), (2, true));
    let rest = soon("replay", lan.clone().replay_dead_letters(request)).await.unwrap().into_inner();
    assert_eq!((rest.results.len(), rest.more), (1, false));
    assert_eq!(dead_letters(&lan, "").await, []);
    assert_eq!(h49.fetch(10, 10).await.len(), 3);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_operators_decide_and_what_is_wrong_is_told() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let organ = OperationsServiceClient::new(site.channel(&gateway, &site.organ("H49")).await);
    let lan = operator(&site, &gateway).await;
    let denied = |status: tonic::Status| {
        assert_eq!((status.code(), &*reason(&status)), (Code::PermissionDenied, "OPERATORS_ONLY"));
    };
    denied(organ.clone().list_dead_letters(v1::ListDeadLettersRequest::default()).await.unwrap_err());
    denied(organ.clone().get_dead_letter(v1::GetDeadLetterRequest::default()).await.unwrap_err());
    denied(organ.clone().replay_dead_letters(v1::ReplayDeadLettersRequest::default()).await.unwrap_err());
    denied(organ.clone().discard_dead_letters(v1::DiscardDeadLettersRequest::default()).await.unwrap_err());
    denied(organ.clone().set_hold(v1::SetHoldRequest::default()).await.unwrap_err());
    denied(organ.clone().release_hold(v1::ReleaseHoldRequest::default()).await.unwrap_err());
    denied(organ.clone().list_holds(v1::ListHoldsRequest::default()).await.unwrap_err());

    let expect = |status: tonic::Status, expected: &str| assert_eq!(reason(&status), expected);
    expect(hold(&lan, of_message("none"), "vì").await.unwrap_err(), "MESSAGE_NOT_FOUND");
    expect(hold(&lan, of_message("none"), " ").await.unwrap_err(), "MISSING_FIELD");
    let of_organ = |organ: &str| v1::set_hold_request::Held::Organ(organ.into());
    expect(hold(&lan, of_organ("H99"), "vì").await.unwrap_err(), "ORGAN_NOT_FOUND");
    expect(hold(&lan, of_organ("?"), "vì").await.unwrap_err(), "INVALID_ORGAN_ID");
    hold(&lan, of_organ("H49"), "vì").await.unwrap();
    let release = |hold_id: &str| v1::ReleaseHoldRequest { hold_id: hold_id.into(), reason: "x".into() };
    for none in ["h77", "7"] {
        expect(lan.clone().release_hold(release(none)).await.unwrap_err(), "HOLD_NOT_FOUND");
    }
    expect(lan.clone().release_hold(release("")).await.unwrap_err(), "MISSING_FIELD");
    let discard = |delivery_ids: Vec<String>, filter, reason: &str| v1::DiscardDeadLettersRequest {
        delivery_ids,
        filter,
        reason: reason.into(),
        ..Default::default()
    };
    let filter = Some(v1::DeadLetterFilter::default());
    for (request, expected) in [
        (discard(vec![], None, "vì"), "MISSING_FIELD"),
        (discard(vec![], filter.clone(), ""), "MISSING_FIELD"),
        (discard(vec!["d1".into()], filter.clone(), "vì"), "INVALID_FIELD"),
        (discard(vec!["d1".into(); 1_001], None, "vì"), "INVALID_FIELD"),
        (discard(vec![], filter.clone(), &"x".repeat(1_001)), "FIELD_TOO_LONG"),
        (
            discard(vec![], Some(v1::DeadLetterFilter { cause: 999, ..Default::default() }), "vì"),
            "INVALID_FIELD",
        ),
    ] {
        expect(lan.clone().discard_dead_letters(request).await.unwrap_err(), expected);
    }
    let nothing = lan.clone().discard_dead_letters(discard(vec![], filter, "vì")).await.unwrap().into_inner();
    assert_eq!((nothing.results.len(), nothing.more), (0, false));
    assert_eq!(gateway.metric("truc_refusals_total{reason=\"OPERATORS_ONLY\"}").await, 7.0);
    assert_eq!(gateway.stop(), Some(0));
}
