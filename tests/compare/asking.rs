//! What is asked of a comparison: who may, what is refused, and that answers are of now when one begins.

use truc::proto::v1::dossier_events_service_client::DossierEventsServiceClient;
use truc::proto::v1::{self, DossierStatus};

use crate::site::{Process, Site, reason, soon};

type Client = DossierEventsServiceClient<tonic::transport::Channel>;

async fn client(site: &Site, gateway: &Process, organ: &str) -> Client {
    DossierEventsServiceClient::new(site.channel(gateway, &site.organ(organ)).await)
}

async fn publish(client: &Client, code: &str, steps: impl IntoIterator<Item = u32>) {
    let step = |number| v1::DossierStep {
        dossier_code: code.to_owned(),
        step: number,
        procedure_code: "1.004194".to_owned(),
        status: DossierStatus::InProcess.into(),
        occurred_time: Some(prost_types::Timestamp { seconds: 1_780_300_000, nanos: 0 }),
        ..Default::default()
    };
    let request = v1::PublishRequest { organ: String::new(), steps: steps.into_iter().map(step).collect() };
    let results = soon("publish", client.clone().publish(request)).await.unwrap().into_inner().results;
    assert!(results.iter().all(|result| result.refusal.is_none()), "{results:?}");
}

fn root(at_or_below: &str) -> v1::CompareRequest {
    v1::CompareRequest {
        at_or_below: at_or_below.to_owned(),
        nodes: vec![String::new()],
        ..Default::default()
    }
}

async fn ask(client: &Client, request: v1::CompareRequest) -> Result<v1::CompareResponse, tonic::Status> {
    soon("compare", client.clone().compare(request)).await.map(tonic::Response::into_inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_follow_all_may_compare_and_others_are_told_why_not() {
    let site = Site::new(&["dossiers.readers = [\"G09 * *\", \"G22 H49 1.004194\"]"]);
    let gateway = site.start();
    let h49 = client(&site, &gateway, "H49").await;
    let (g09, g22) = (client(&site, &gateway, "G09").await, client(&site, &gateway, "G22").await);
    publish(&h49, "H49.12-20260601-1", [1, 2]).await;
    let own = ask(&h49, root("")).await.unwrap();
    assert_eq!((own.at_or_below.as_str(), own.nodes[0].dossiers.len()), ("H49", 1));
    assert_eq!(ask(&g09, root("000.00.12.H49")).await.unwrap().at_or_below, "H49.12");
    for (client, request, why) in [
        // One procedure is not all.
        (&g22, root("H49"), "DOSSIER_NOT_READABLE"),
        (&h49, root("G09"), "DOSSIER_NOT_READABLE"),
        (&h49, root("X99"), "INVALID_ORGAN_ID"),
        (&h49, v1::CompareRequest { from_day: "2026-02-30".into(), ..root("") }, "INVALID_FIELD"),
        (&h49, v1::CompareRequest { nodes: vec!["G".into()], ..root("") }, "INVALID_FIELD"),
        (&h49, v1::CompareRequest { nodes: vec![String::new(); 501], ..root("") }, "INVALID_FIELD"),
        (&h49, v1::CompareRequest { dossier_codes: vec!["H49".into()], ..root("") }, "INVALID_DOSSIER_CODE"),
        (
            &h49,
            v1::CompareRequest { dossier_codes: vec!["H50-20260601-1".into()], ..root("") },
            "INVALID_FIELD",
        ),
    ] {
        assert_eq!(reason(&ask(client, request).await.unwrap_err()), why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_begins_with_what_is_there_now_and_goes_on_with_that() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let h49 = client(&site, &gateway, "H49").await;
    for number in 0..100 {
        publish(&h49, &format!("H49-20260601-{number}"), [1]).await;
    }
    let total = |answer: &v1::CompareResponse| {
        answer.nodes[0].children.iter().map(|child| child.dossiers).sum::<u64>()
    };
    let first = ask(&h49, root("")).await.unwrap();
    assert_eq!((total(&first), first.nodes[0].children.len()), (100, 16));
    // A held step counts, and is seen by who begins anew.
    publish(&h49, "H49-20260601-7", [3]).await;
    let codes = vec!["H49-20260601-7".to_owned(), "H49-20260601-1000".to_owned()];
    let steps = ask(&h49, v1::CompareRequest { nodes: Vec::new(), dossier_codes: codes, ..root("") }).await;
    let steps = steps.unwrap().dossiers;
    let numbers: Vec<_> = steps[0].steps.iter().map(|step| (step.step, step.fingerprint.len())).collect();
    assert_eq!((numbers, steps[1].steps.len()), (vec![(1, 16), (3, 16)], 0));
    let children = |answer: &v1::CompareResponse| answer.nodes[0].children.clone();
    let second = ask(&h49, root("")).await.unwrap();
    let changed = children(&first).iter().zip(children(&second)).filter(|(a, b)| *a != b).count();
    assert_eq!((total(&second), changed), (100, 1));
    let (place, _) = (0..16).zip(children(&first)).max_by_key(|(_, child)| child.dossiers).unwrap();
    let node = v1::CompareRequest { nodes: vec![format!("{place:x}")], ..root("") };
    publish(&h49, "H49-20260602-1", [1]).await;
    let kept = ask(&h49, node).await.unwrap().nodes[0].dossiers.len() as u64;
    assert_eq!(kept, children(&second)[place].dossiers, "as it was when the comparison began");
    assert_eq!(total(&ask(&h49, root("")).await.unwrap()), 101);
    assert_eq!(gateway.metric("truc_dossier_digests_kept").await, 101.0);
    assert_eq!(gateway.metric("truc_dossier_compare_seconds_count").await, 3.0);
}
