//! Dossiers: what an owner publishes is seen by all who may follow it, each step once and in order.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_stream::StreamExt;
use tonic::Streaming;
use tonic::transport::Channel;
use truc::proto::v1::dossier_events_service_client::DossierEventsServiceClient;
use truc::proto::v1::{self, DossierStatus, ErrorReason, StepFlag};

use crate::support::{Process, Site, reason, soon};

type Client = DossierEventsServiceClient<Channel>;

const HOLD: &str = "dossiers.gap_hold = \"1s\"";

async fn client(site: &Site, gateway: &Process, organ: &str) -> Client {
    DossierEventsServiceClient::new(site.channel(gateway, &site.organ(organ)).await)
}

/// A step as it usually comes: accepted first, then in process.
fn step(dossier: &str, number: u32) -> v1::DossierStep {
    let status = if number == 1 { DossierStatus::Accepted } else { DossierStatus::InProcess };
    v1::DossierStep {
        dossier_code: dossier.to_owned(),
        step: number,
        procedure_code: "1.004194".to_owned(),
        status: status.into(),
        occurred_time: Some(prost_types::Timestamp { seconds: 1_764_000_000 + i64::from(number), nanos: 0 }),
        ..Default::default()
    }
}

fn steps(dossier: &str, numbers: impl IntoIterator<Item = u32>) -> Vec<v1::DossierStep> {
    numbers.into_iter().map(|number| step(dossier, number)).collect()
}

async fn publish(client: &Client, steps: Vec<v1::DossierStep>) -> Vec<v1::PublishResult> {
    let request = v1::PublishRequest { organ: String::new(), steps };
    soon("publish", client.clone().publish(request)).await.unwrap().into_inner().results
}

async fn subscribe(
    client: &Client,
    request: v1::SubscribeRequest,
) -> Result<Streaming<v1::SubscribeResponse>, tonic::Status> {
    let opened = soon("subscribe", client.clone().subscribe(request)).await;
    opened.map(tonic::Response::into_inner)
}

/// So many events, each as `code number`, with its flags where it has any; and the last cursor.
async fn take(stream: &mut Streaming<v1::SubscribeResponse>, count: usize) -> (Vec<String>, String) {
    let (mut events, mut cursor) = (Vec::new(), String::new());
    while events.len() < count {
        let response = soon("an event", stream.next()).await.unwrap().unwrap();
        events.extend(response.events.iter().map(said));
        cursor = response.cursor;
    }
    (events, cursor)
}

fn said(event: &v1::DossierEvent) -> String {
    let number = event.step.as_ref().unwrap().step;
    let flags = event.flags().map(|flag| format!(" {}", flag.as_str_name().trim_start_matches("STEP_FLAG_")));
    format!("{} {number}{}", event.dossier_code, flags.collect::<String>())
}

/// All there is for this request.
async fn all(client: &Client, request: v1::SubscribeRequest) -> Vec<String> {
    let mut stream = subscribe(client, v1::SubscribeRequest { until_now: true, ..request }).await.unwrap();
    let mut events = Vec::new();
    while let Some(response) = soon("an event", stream.next()).await {
        events.extend(response.unwrap().events.iter().map(said));
    }
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_owner_publishes_is_seen_live_from_the_past_and_after_a_crash() {
    let site = Site::new(&["dossiers.readers = [\"G09 * *\"]"]);
    let gateway = site.start();
    let (h49, g09) = (client(&site, &gateway, "H49").await, client(&site, &gateway, "G09").await);
    let mut live = subscribe(&g09, v1::SubscribeRequest::default()).await.unwrap();
    let mut full = step("000.00.12.H49-260105-0001", 1);
    full.status = DossierStatus::Accepted.into();
    full.note = "Tiếp nhận hồ sơ".to_owned();
    full.actor = Some(v1::DossierActor { name: "Trần Thị Mẫu".to_owned(), ..Default::default() });
    full.documents = vec![v1::DossierDocument { sender: "G22".into(), message_id: "m-1".into() }];
    let result = publish(&h49, vec![full.clone()]).await.remove(0);
    assert_eq!((result.dossier_code.as_str(), result.position), ("H49.12-20260105-0001", 1));
    let response = soon("the first", live.next()).await.unwrap().unwrap();
    let event = &response.events[0];
    assert_eq!((event.owner.as_str(), event.publisher.as_str()), ("H49.12", "H49"));
    assert_eq!(event.step.as_ref(), Some(&full));

    publish(&h49, steps("H49.12-20260105-0001", 2..=5)).await;
    let (events, cursor) = take(&mut live, 4).await;
    let expected: Vec<_> = (2..=5).map(|number| format!("H49.12-20260105-0001 {number}")).collect();
    assert_eq!(events, expected);
    gateway.kill();

    let gateway = site.start();
    let (h49, g09) = (client(&site, &gateway, "H49").await, client(&site, &gateway, "G09").await);
    let request = v1::SubscribeRequest { cursor: cursor.clone(), ..Default::default() };
    let mut resumed = subscribe(&g09, request).await.unwrap();
    let again = publish(&h49, steps("H49.12-20260105-0001", 4..=6)).await;
    let repeated: Vec<_> = again.iter().map(|result| (result.repeated_step, result.position)).collect();
    assert_eq!(repeated, [(true, 4), (true, 5), (false, 6)]);
    assert_eq!(take(&mut resumed, 1).await.0, ["H49.12-20260105-0001 6"]);
    assert_eq!(all(&g09, v1::SubscribeRequest::default()).await.len(), 6);
    let since = Some(prost_types::Timestamp { seconds: 4_000_000_000, nanos: 0 });
    let later = v1::SubscribeRequest { from_time: since, ..Default::default() };
    assert_eq!(all(&g09, later).await, [""; 0]);
    let now = v1::SubscribeRequest { from_now: true, ..Default::default() };
    assert_eq!(all(&g09, now).await, [""; 0]);
    let bad = v1::SubscribeRequest { cursor: cursor.replace(&cursor[..4], "AAAA"), ..Default::default() };
    assert_eq!(reason(&subscribe(&g09, bad).await.unwrap_err()), "INVALID_CURSOR");
    assert!(gateway.metric("truc_dossier_events_sent_total").await >= 7.0);
    assert_eq!(gateway.metric("truc_dossier_steps_total{result=\"repeated\"}").await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_sees_what_it_may_and_wants() {
    let readers = "dossiers.readers = [\"G09 * *\", \"G22 H49 2.000815\"]";
    let site = Site::new(&[readers]);
    let gateway = site.start();
    let (h49, h05) = (client(&site, &gateway, "H49").await, client(&site, &gateway, "H05").await);
    let (g09, g22) = (client(&site, &gateway, "G09").await, client(&site, &gateway, "G22").await);
    let other = |dossier| v1::DossierStep { procedure_code: "2.000815".into(), ..step(dossier, 1) };
    let done = v1::DossierStep { status: DossierStatus::Processed.into(), ..step("H49-20260105-1", 2) };
    publish(&h49, vec![step("H49-20260105-1", 1), other("H49.12-20260105-2"), done]).await;
    publish(&h05, vec![step("H05-20260105-1", 1), other("H05-20260105-2")]).await;
    let every = v1::SubscribeRequest::default;
    let filtered = |filter| v1::SubscribeRequest { filter: Some(filter), ..Default::default() };
    let numbers = |events: Vec<String>| {
        let code = |event: String| event.split(' ').next().unwrap().replace("-20260105-", "/");
        events.into_iter().map(code).collect::<Vec<_>>()
    };
    assert_eq!(numbers(all(&h49, every()).await), ["H49/1", "H49.12/2", "H49/1"]);
    assert_eq!(numbers(all(&h05, every()).await), ["H05/1", "H05/2"]);
    assert_eq!(numbers(all(&g22, every()).await), ["H49.12/2"]);
    assert_eq!(all(&g09, every()).await.len(), 5);
    let of = |organ: &str| v1::DossierFilter { at_or_below: vec![organ.into()], ..Default::default() };
    assert_eq!(numbers(all(&g09, filtered(of("H49.12"))).await), ["H49.12/2"]);
    let procedure = v1::DossierFilter { procedure_codes: vec!["2.000815".into()], ..Default::default() };
    assert_eq!(numbers(all(&g09, filtered(procedure)).await), ["H49.12/2", "H05/2"]);
    let processed = v1::DossierFilter { statuses: vec![9], ..Default::default() };
    assert_eq!(all(&g09, filtered(processed)).await, ["H49-20260105-1 2 UNUSUAL"]);
    let own = v1::DossierFilter { own_only: true, ..Default::default() };
    assert_eq!(all(&g09, filtered(own)).await, [""; 0]);

    let refused = subscribe(&h05, filtered(of("H49"))).await.unwrap_err();
    assert_eq!(reason(&refused), "DOSSIER_NOT_READABLE");
    // Whose dossier it is decides who publishes, and who may look.
    let foreign = publish(&h05, steps("H49-20260105-1", [3])).await.remove(0).refusal.unwrap();
    assert_eq!((foreign.reason(), foreign.metadata["owner"].as_str()), (ErrorReason::NotDossierOwner, "H49"));
    let get = |dossier: &str| v1::GetDossierRequest { dossier_code: dossier.into(), ..Default::default() };
    let refused = h05.clone().get_dossier(get("H49-20260105-1")).await.unwrap_err();
    assert_eq!(reason(&refused), "DOSSIER_NOT_READABLE");
    let refused = h49.clone().get_dossier(get("H49-20260105-77")).await.unwrap_err();
    assert_eq!(reason(&refused), "DOSSIER_NOT_FOUND");
    let found = h49.clone().get_dossier(get("000.00.00.H49-260105-1")).await.unwrap().into_inner();
    let dossier = found.dossier.unwrap();
    assert_eq!((dossier.status(), dossier.last_step), (DossierStatus::Processed, 2));
    assert_eq!(found.events.iter().map(said).collect::<Vec<_>>().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_answers_on_the_stream_and_gaps_are_told() {
    let site = Site::new(&[HOLD]);
    let gateway = site.start();
    let h49 = client(&site, &gateway, "H49").await;
    let mut live = subscribe(&h49, v1::SubscribeRequest::default()).await.unwrap();
    let request = |steps| v1::PublishStreamRequest { organ: String::new(), steps };
    let own = v1::OwnStatusCode { code_set: "egov".into(), code: "05".into() };
    let unmapped = v1::DossierStep { status: 0, own_status: Some(own), ..step("H49-20260105-2", 1) };
    let requests = vec![
        request(vec![step("H49-20260105-1", 1), step("H49-20260105-1", 4), unmapped]),
        request(Vec::new()),
        request(vec![step("H49", 1), v1::DossierStep { status: 77, ..step("H49-20260105-1", 5) }]),
        request(vec![v1::DossierStep { note: "other".into(), ..step("H49-20260105-1", 1) }]),
    ];
    let answers = soon("stream", h49.clone().publish_stream(tokio_stream::iter(requests))).await.unwrap();
    let answers: Vec<_> = answers.into_inner().map(Result::unwrap).collect().await;
    let [taken, empty, bad, conflict] = &answers[..] else { panic!("{answers:?}") };
    let results = &taken.results;
    assert_eq!((results[0].position, results[1].position), (1, 0));
    assert_eq!(results[1].missing_steps, [2, 3]);
    assert!(results[1].held_until_time.is_some());
    assert_eq!(results[2].flags().collect::<Vec<_>>(), [StepFlag::Unmapped]);
    assert_eq!(empty.refusal.as_ref().unwrap().reason(), ErrorReason::MissingField);
    let reasons: Vec<_> =
        bad.results.iter().map(|result| result.refusal.as_ref().unwrap().reason()).collect();
    assert_eq!(reasons, [ErrorReason::InvalidDossierCode, ErrorReason::UnknownDossierStatus]);
    let refusal = conflict.results[0].refusal.as_ref().unwrap();
    assert_eq!(refusal.reason(), ErrorReason::StepConflict);

    // The hold of a second ends by itself; what comes then is late.
    let (events, _) = take(&mut live, 3).await;
    assert_eq!(events, ["H49-20260105-1 1", "H49-20260105-2 1 UNMAPPED", "H49-20260105-1 4 AFTER_GAP"]);
    let late = publish(&h49, steps("H49-20260105-1", [3])).await.remove(0);
    assert_eq!((late.flags().collect::<Vec<_>>(), late.missing_steps), (vec![StepFlag::Late], vec![2]));
    assert_eq!(take(&mut live, 1).await.0, ["H49-20260105-1 3 LATE"]);
    assert_eq!(gateway.metric("truc_dossier_steps_released_total").await, 1.0);
    assert_eq!(gateway.metric("truc_dossier_peculiar_steps_total{peculiarity=\"unmapped\"}").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_goes_on_where_it_stood_and_its_shares_part_the_dossiers() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let h49 = client(&site, &gateway, "H49").await;
    for dossier in 0..40 {
        publish(&h49, steps(&format!("H49-20260105-{dossier}"), 1..=3)).await;
    }
    let consumer = |share| Some(v1::ConsumerShare { consumer: "portal".into(), share, shares: 2 });
    let request = |share| v1::SubscribeRequest { consumer: consumer(share), ..Default::default() };
    let (first, second) = (all(&h49, request(0)).await, all(&h49, request(1)).await);
    assert_eq!(first.len() + second.len(), 120);
    assert!(first.len() > 20 && second.len() > 20);
    for events in [&first, &second] {
        let mut last: BTreeMap<&str, u32> = BTreeMap::new();
        for event in events {
            let (dossier, number) = event.split_once(' ').unwrap();
            let number = number.parse().unwrap();
            assert_eq!(last.insert(dossier, number).unwrap_or(0) + 1, number, "{event}");
        }
        assert!(last.values().all(|number| *number == 3), "each dossier falls to one share");
    }
    // Half of the first share is done with.
    let mut stream = subscribe(&h49, request(0)).await.unwrap();
    let response = soon("events", stream.next()).await.unwrap().unwrap();
    let commit =
        |share, cursor| v1::CommitCursorRequest { consumer: consumer(share), cursor, ..Default::default() };
    h49.clone().commit_cursor(commit(0, response.cursor)).await.unwrap();
    assert_eq!(all(&h49, request(0)).await, [""; 0]);
    assert_eq!(all(&h49, request(1)).await, second);
    let dossier_code = first[0].split(' ').next().unwrap().to_owned();
    let found = h49.clone().get_dossier(v1::GetDossierRequest { dossier_code, ..Default::default() }).await;
    let readers = found.unwrap().into_inner().readers;
    assert_eq!((readers.len(), readers[0].consumer.as_str(), readers[0].step), (1, "portal", 3));
    let (_, page) = gateway.get("/metrics/per-object").await;
    let lag = "truc_dossier_consumer_lag_events{organ=\"H49\",consumer=\"portal\",share=";
    assert!(
        page.contains(&format!("{lag}\"0\"}} 0")) && page.contains(&format!("{lag}\"1\"}} 120")),
        "{page}"
    );
    // A newer connection takes a share over.
    let mut old = subscribe(&h49, request(1)).await.unwrap();
    take(&mut old, second.len()).await;
    let _new = subscribe(&h49, request(1)).await.unwrap();
    let ended = soon("the end", old.next()).await.unwrap().unwrap_err();
    assert_eq!(reason(&ended), "SHARE_TAKEN_OVER");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_does_not_read_holds_nobody_up() {
    let site = Site::new(&["dossiers.tail_events = 1000"]);
    let gateway = site.start();
    let h49 = client(&site, &gateway, "H49").await;
    let stopped = subscribe(&h49, v1::SubscribeRequest::default()).await.unwrap();
    let mut live =
        subscribe(&client(&site, &gateway, "H49").await, v1::SubscribeRequest::default()).await.unwrap();
    let mut seen = 0;
    for dossier in 0..60 {
        let note = "ghi chú ".repeat(100);
        let batch = (1..=100)
            .map(|n| v1::DossierStep { note: note.clone(), ..step(&format!("H49-20260105-{dossier}"), n) });
        publish(&h49, batch.collect()).await;
        seen += take(&mut live, 100).await.0.len();
    }
    assert_eq!(seen, 6_000);
    // What it did not take waits for it in the log, whatever has left the memory.
    let mut stopped = stopped;
    assert_eq!(take(&mut stopped, 6_000).await.0.len(), 6_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn dossiers_of_an_organ_are_listed_and_those_overdue() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let h49 = client(&site, &gateway, "H49").await;
    let due = |dossier: &str, seconds| v1::DossierStep {
        due_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
        ..step(dossier, 1)
    };
    let batch = (0..55).map(|dossier| due(&format!("H49.{:02}-20260105-1", dossier + 10), 1_000 + dossier));
    publish(&h49, batch.collect()).await;
    publish(&h49, vec![due("H49-20260105-1", 4_000_000_000), step("H49-20260105-2", 1)]).await;
    let mut request = v1::ListDossiersRequest::default();
    let mut codes = Vec::new();
    loop {
        let page = h49.clone().list_dossiers(request.clone()).await.unwrap().into_inner();
        codes.extend(page.dossiers.into_iter().map(|dossier| (dossier.dossier_code, dossier.overdue)));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!((codes.len(), codes.iter().filter(|(_, overdue)| *overdue).count()), (57, 55));
    assert!(codes.is_sorted());
    let overdue = v1::ListDossiersRequest { overdue_only: true, page_size: 200, ..Default::default() };
    assert_eq!(h49.clone().list_dossiers(overdue).await.unwrap().into_inner().dossiers.len(), 55);
    let foreign = v1::ListDossiersRequest { at_or_below: "H05".into(), ..Default::default() };
    assert_eq!(reason(&h49.clone().list_dossiers(foreign).await.unwrap_err()), "DOSSIER_NOT_READABLE");
    let page = v1::ListDossierEventsRequest {
        dossier_code: "H49-20260105-2".into(),
        page_size: 2,
        ..Default::default()
    };
    publish(&h49, steps("H49-20260105-2", 2..=5)).await;
    let first = h49.clone().list_dossier_events(page.clone()).await.unwrap().into_inner();
    assert_eq!((first.events.len(), first.next_after_step), (2, 2));
    let last = v1::ListDossierEventsRequest { after_step: 4, ..page };
    let last = h49.clone().list_dossier_events(last).await.unwrap().into_inner();
    assert_eq!((last.events.len(), last.next_after_step), (1, 0));
    tokio::time::timeout(Duration::from_secs(5), gateway.get("/readyz")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_is_known_from_its_first_subscription_until_it_is_forgotten() {
    let site = Site::new(&["dossiers.readers = [\"G09 * *\", \"G22 * 2.000815\"]"]);
    let gateway = site.start();
    let (h49, g09, g22) = (
        client(&site, &gateway, "H49").await,
        client(&site, &gateway, "G09").await,
        client(&site, &gateway, "G22").await,
    );
    publish(&h49, steps("H49-20260105-1", 1..=2)).await;
    let portal = |shares| Some(v1::ConsumerShare { consumer: "portal".into(), share: 0, shares });
    let request = |from_now| v1::SubscribeRequest { consumer: portal(1), from_now, ..Default::default() };
    // It begins at the end, and dies before it commits: nothing that came meanwhile is lost to it.
    drop(subscribe(&g09, request(true)).await.unwrap());
    publish(&h49, steps("H49-20260105-1", 3..=4)).await;
    assert_eq!(all(&g09, request(true)).await, ["H49-20260105-1 3", "H49-20260105-1 4"]);

    let listed = g09.clone().list_consumers(v1::ListConsumersRequest::default()).await.unwrap().into_inner();
    let [known] = &listed.consumers[..] else { panic!("{listed:?}") };
    assert_eq!((known.position, known.behind, known.behind_since_time.is_some()), (2, 2, true));
    // Who has seen what: of the steps it wants and may see.
    let statistics = v1::SubscribeRequest {
        filter: Some(v1::DossierFilter { statuses: vec![2], ..Default::default() }),
        consumer: Some(v1::ConsumerShare { consumer: "statistics".into(), ..Default::default() }),
        until_now: true,
        ..Default::default()
    };
    let mut stream = subscribe(&g09, statistics.clone()).await.unwrap();
    let (events, cursor) = take(&mut stream, 1).await;
    assert_eq!(events, ["H49-20260105-1 1"]);
    let commit = v1::CommitCursorRequest {
        consumer: statistics.consumer,
        cursor: cursor.clone(),
        ..Default::default()
    };
    g09.clone().commit_cursor(commit.clone()).await.unwrap();
    drop(subscribe(&g22, request(false)).await.unwrap());
    let get = v1::GetDossierRequest { dossier_code: "H49-20260105-1".into(), ..Default::default() };
    let readers = h49.clone().get_dossier(get).await.unwrap().into_inner().readers;
    let readers: Vec<_> = readers.iter().map(|r| (r.organ.as_str(), r.consumer.as_str(), r.step)).collect();
    assert_eq!(readers, [("G09", "portal", 2), ("G09", "statistics", 1)]);

    let unknown =
        v1::CommitCursorRequest { consumer: portal(1), cursor: cursor.clone(), ..Default::default() };
    assert_eq!(reason(&h49.clone().commit_cursor(unknown).await.unwrap_err()), "CONSUMER_NOT_FOUND");
    let divided = v1::CommitCursorRequest { consumer: portal(4), cursor, ..Default::default() };
    assert_eq!(reason(&g09.clone().commit_cursor(divided).await.unwrap_err()), "SHARE_TAKEN_OVER");
    let forget = v1::DeleteConsumerRequest { consumer: "portal".into(), ..Default::default() };
    g09.clone().delete_consumer(forget.clone()).await.unwrap();
    assert_eq!(reason(&g09.clone().delete_consumer(forget).await.unwrap_err()), "CONSUMER_NOT_FOUND");
    assert_eq!(all(&g09, request(false)).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_publishes_too_fast_is_told_or_slowed_down() {
    let site = Site::new(&["dossiers.steps_per_s = 500", "dossiers.steps_burst = 500"]);
    let gateway = site.start();
    let (h49, h05) = (client(&site, &gateway, "H49").await, client(&site, &gateway, "H05").await);
    let batch = |organ: &str, dossier: u32| steps(&format!("{organ}-20260105-{dossier}"), 1..=250);
    publish(&h49, batch("H49", 1)).await;
    publish(&h49, batch("H49", 2)).await;
    let request = v1::PublishRequest { organ: String::new(), steps: batch("H49", 3) };
    let refused = h49.clone().publish(request).await.unwrap_err();
    assert_eq!(reason(&refused), "RATE_LIMITED");
    publish(&h05, batch("H05", 1)).await;
    // On a stream nothing is refused; it takes its time: 1,000 steps at 500 a second.
    let started = std::time::Instant::now();
    let requests: Vec<_> = (3..7)
        .map(|dossier| v1::PublishStreamRequest { organ: String::new(), steps: batch("H49", dossier) })
        .collect();
    let answers = soon("stream", h49.clone().publish_stream(tokio_stream::iter(requests))).await.unwrap();
    let answers: Vec<_> = answers.into_inner().map(Result::unwrap).collect().await;
    assert!(
        answers.iter().all(|answer| answer.refusal.is_none() && answer.results.len() == 250),
        "{answers:?}"
    );
    assert!(started.elapsed() > Duration::from_millis(1_500), "{:?}", started.elapsed());
}
