//! The whole way of each kind of change.

use truc::proto::v1::{
    self, BusinessStatus, ChangeAnswer, ChangeEffect, DeliveryState, MessageKind, ReceiptKind,
};

use crate::desk::{changing, effects, fetch_one, recall, report, rungs, take_one, target};
use crate::setup::SetUp;
use crate::site::{Agency, Process, Site, delivered, document, reason};

crate::setup::in_each_set_up! { a_recall_is_answered an_update_and_a_replacement }

/// A gateway of a set-up with a sender and three recipients.
async fn started(set_up: SetUp) -> (Site, Process, Agency, [Agency; 3], crate::setup::Surroundings) {
    let surroundings = set_up.surroundings();
    let mut site = Site::new(&[]);
    surroundings.tell(&mut site);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let h49 = site.agency(&gateway, "H49").await;
    let h05 = site.agency(&gateway, "H05").await;
    let h26 = site.agency(&gateway, "H26").await;
    (site, gateway, g22, [h49, h05, h26], surroundings)
}

async fn a_recall_is_answered(set_up: SetUp) {
    let (_site, gateway, g22, [h49, h05, h26], _surroundings) = started(set_up).await;
    g22.submit(document("m-1", &["H49", "H05", "H26"], b"van ban".to_vec())).await.unwrap();
    let first = take_one(&h49).await;
    let held = fetch_one(&h05).await;
    let recalled = recall(&g22, "r-1", "m-1", &[]).await.unwrap();
    let expected =
        [("H05", ChangeEffect::Asked), ("H26", ChangeEffect::Cancelled), ("H49", ChangeEffect::Asked)];
    assert_eq!(effects(&recalled).into_iter().collect::<Vec<_>>(), expected);
    assert!(h26.fetch(10, 0).await.is_empty(), "it was never there");
    // The same again is the same; another while it is open is refused, and told which.
    let again = recall(&g22, "r-1", "m-1", &[]).await.unwrap();
    assert_eq!(again, v1::Acceptance { repeated_submission: true, ..recalled.clone() });
    let open = recall(&g22, "r-2", "m-1", &["H49"]).await.unwrap_err();
    assert_eq!(reason(&open), "REQUEST_OPEN");
    let nobody = recall(&g22, "r-3", "m-1", &["H26"]).await.unwrap_err();
    assert_eq!(reason(&nobody), "NOTHING_TO_RECALL");
    let foreign = recall(&h49, "r-4", "m-1", &[]).await.unwrap_err();
    assert_eq!(reason(&foreign), "MESSAGE_NOT_FOUND");
    // Who is asked gets the recall, and what it is about.
    let asking = take_one(&h49).await;
    let envelope = asking.envelope.clone().unwrap();
    assert_eq!((envelope.kind(), &*asking.payload), (MessageKind::Recall, "phát hành nhầm".as_bytes()));
    let about = v1::About {
        message_id: "m-1".into(),
        document_id: String::new(),
        delivery_id: first.delivery_id.clone(),
        asked: MessageKind::Recall.into(),
    };
    assert_eq!(asking.about, [v1::About { document_id: asking.about[0].document_id.clone(), ..about }]);
    let agreed = report(&h49, &first.delivery_id, BusinessStatus::ChangeAgreed, "").await;
    assert_eq!(agreed.receipt.unwrap().change_message_id, "r-1");
    take_one(&h05).await;
    let refused = report(&h05, &held.delivery_id, BusinessStatus::ChangeRefused, "").await;
    assert_eq!(refused.refusal.unwrap().field, "reason", "a refusal says why");
    report(&h05, &held.delivery_id, BusinessStatus::ChangeRefused, "đã vào sổ").await.receipt.unwrap();
    h05.settle(vec![delivered(&held)]).await;
    // Both sides see the same.
    let story = g22.track("", "m-1").await.unwrap();
    assert_eq!(
        rungs(&story, &first.delivery_id),
        [ReceiptKind::Offered, ReceiptKind::Delivered, ReceiptKind::Requested, ReceiptKind::Status]
    );
    let states: Vec<_> = story.deliveries.iter().map(|d| (d.state(), d.status())).collect();
    assert_eq!(
        states,
        [
            (DeliveryState::Delivered, BusinessStatus::ChangeAgreed),
            (DeliveryState::Delivered, BusinessStatus::Unspecified),
            (DeliveryState::Cancelled, BusinessStatus::Unspecified),
        ]
    );
    let answers: Vec<_> = story.lineage[1].changed.iter().map(v1::ChangedDelivery::answer).collect();
    assert_eq!(answers, [ChangeAnswer::Agreed, ChangeAnswer::Refused, ChangeAnswer::Unspecified]);
    let seen = h49.track("G22", "r-1").await.unwrap();
    assert_eq!(seen.lineage.len(), 2);
    assert!(seen.lineage.iter().all(|link| link.deliveries.iter().all(|d| d.recipient == "H49")));
    // Status 13 is the recall of one delivery.
    let thirteen = report(&g22, &held.delivery_id, BusinessStatus::RecallAsked, "xin lại").await;
    let receipt = thirteen.receipt.unwrap();
    assert_eq!((receipt.kind(), receipt.reason.as_str()), (ReceiptKind::Requested, "xin lại"));
    let again = report(&g22, &held.delivery_id, BusinessStatus::RecallAsked, "xin lại").await;
    assert!(again.repeated_report && again.receipt.unwrap() == receipt);
    assert_eq!(take_one(&h05).await.about[0].delivery_id, held.delivery_id);
    assert_eq!(gateway.stop(), Some(0));
}

async fn an_update_and_a_replacement(set_up: SetUp) {
    let (_site, gateway, g22, [h49, h05, h26], _surroundings) = started(set_up).await;
    g22.submit(document("m-1", &["H49", "H05"], b"ban dau".to_vec())).await.unwrap();
    g22.submit(document("m-2", &["H49"], b"khac".to_vec())).await.unwrap();
    let first = take_one(&h49).await;
    take_one(&h05).await;
    let update = changing("u-1", &["H49", "H26"], MessageKind::Update, vec![target("m-1", &[])], &["H05"]);
    let updated = g22.submit(update).await.unwrap();
    let asked: Vec<_> =
        updated.changed.as_ref().unwrap().deliveries.iter().map(|d| (&*d.recipient, d.asked())).collect();
    assert_eq!(asked, [("H49", MessageKind::Update), ("H05", MessageKind::Recall)]);
    // Who goes is told to give it back, and sees nothing of the new text.
    let notice = take_one(&h05).await;
    let envelope = notice.envelope.unwrap();
    assert_eq!((envelope.kind(), &*notice.payload), (MessageKind::Recall, "có bản mới".as_bytes()));
    assert!(envelope.header.is_none());
    assert_eq!(envelope.payload_bytes, notice.payload.len() as u64);
    assert!(h05.track("G22", "u-1").await.unwrap().envelope.unwrap().header.is_none());
    // Who comes gets a document like any other, who stays what it is asked with it.
    let new = take_one(&h26).await;
    assert_eq!((&*new.payload, new.about.len()), (b"u-1".as_slice(), 0));
    take_one(&h49).await; // m-2
    let stays = take_one(&h49).await;
    assert_eq!((&*stays.payload, stays.about[0].asked()), (b"u-1".as_slice(), MessageKind::Update));
    report(&h49, &first.delivery_id, BusinessStatus::ChangeAgreed, "").await.receipt.unwrap();
    // Two old documents make way for one.
    g22.submit(document("m-3", &["H26"], b"chua lay".to_vec())).await.unwrap();
    let targets = vec![target("m-2", &[]), target("m-3", &["H26"])];
    let replacement = changing("n-1", &["H49", "H26"], MessageKind::Replacement, targets.clone(), &[]);
    let replaced = g22.submit(replacement).await.unwrap();
    let expected = [("H26", ChangeEffect::Cancelled), ("H49", ChangeEffect::Asked)];
    assert_eq!(effects(&replaced).into_iter().collect::<Vec<_>>(), expected);
    let late = changing("n-2", &["H26"], MessageKind::Replacement, vec![target("m-3", &[])], &[]);
    assert_eq!(reason(&g22.submit(late).await.unwrap_err()), "ALREADY_CHANGED");
    assert_eq!(&*take_one(&h26).await.payload, b"n-1", "m-3 was never there");
    for id in ["m-2", "m-3", "n-1"] {
        let chain = g22.track("", id).await.unwrap().lineage;
        let ids: Vec<_> = chain.iter().map(|link| link.message_id.as_str()).collect();
        assert_eq!(ids, ["m-2", "m-3", "n-1"]);
        assert_eq!(chain[2].changes_message_ids, ["m-2", "m-3"]);
    }
    let unknown = changing("n-3", &["H26"], MessageKind::Replacement, vec![target("không-có", &[])], &[]);
    let refused = g22.submit(unknown).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_FIELD");
    let unknown = changing("n-3", &["H26"], MessageKind::Update, vec![target("khong-co", &[])], &[]);
    assert_eq!(reason(&g22.submit(unknown).await.unwrap_err()), "MESSAGE_NOT_FOUND");
    assert_eq!(gateway.stop(), Some(0));
}
