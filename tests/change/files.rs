//! Revocation, update and replacement as edXML files: they take effect, and travel byte for byte.

use std::path::Path;

use truc::proto::v1::{self, BusinessStatus, ChangeEffect, MessageKind, ReceiptKind};

use crate::desk::{effects, fetch_one, report, take_one};
use crate::setup::SetUp;
use crate::site::{Agency, Process, Site, document, edxml};

crate::setup::in_each_set_up! { a_revocation_takes_effect an_update_and_a_replacement_take_effect }

/// The id of the document in the samples, and those others refer to.
const DOCUMENT: &str = "000.00.00.G22,2025/07/02,1234/VD-TN";
const UPDATED: &str = "000.00.00.G22,2025/02/30,1200/VD-TN";
const REPLACED: [&str; 2] = ["000.00.00.G22,2025/06/01,1100/VD-TN", "000.00.00.G22,2025/06/02,1101/VD-TN"];

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/edxml").join(name)).unwrap()
}

fn with_document_id(id: &str, document_id: &str, to: &[&str]) -> v1::Submission {
    let mut submission = document(id, to, id.as_bytes());
    if let Some(v1::submission::Content::Document(document)) = &mut submission.content {
        document.header.as_mut().unwrap().document_id = document_id.to_owned();
    }
    submission
}

async fn started(set_up: SetUp) -> (Site, Process, Agency, Agency, Agency, crate::setup::Surroundings) {
    let surroundings = set_up.surroundings();
    let mut site = Site::new(&[]);
    surroundings.tell(&mut site);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let h49 = site.agency(&gateway, "H49").await;
    let h05 = site.agency(&gateway, "H05").await;
    (site, gateway, g22, h49, h05, surroundings)
}

async fn a_revocation_takes_effect(set_up: SetUp) {
    let (_site, gateway, g22, h49, h05, _surroundings) = started(set_up).await;
    // Of a document from before the gateway it is a document, and the answer says so.
    let unknown = g22.submit(edxml("r-0", fixture("revocation.edxml"))).await.unwrap();
    assert_eq!(unknown.changed.as_ref().unwrap().unknown_documents, [DOCUMENT]);
    assert_eq!(unknown.deliveries.len(), 2);
    for agency in [&h49, &h05] {
        let got = take_one(agency).await;
        assert_eq!((&*got.payload, got.about.len()), (&*fixture("revocation.edxml"), 0));
    }
    // H49 has the document; H05, for H02, does not have it yet.
    g22.submit(edxml("m-1", fixture("new.edxml"))).await.unwrap();
    let held = fetch_one(&h49).await;
    let revoked = g22.submit(edxml("r-1", fixture("revocation.edxml"))).await.unwrap();
    let expected = [("H05", ChangeEffect::Cancelled), ("H49", ChangeEffect::Asked)];
    assert_eq!(effects(&revoked).into_iter().collect::<Vec<_>>(), expected);
    assert!(h05.fetch(1, 0).await.is_empty());
    let asking = take_one(&h49).await;
    assert_eq!(asking.envelope.unwrap().kind(), MessageKind::Recall);
    assert_eq!(&*asking.payload, &*fixture("revocation.edxml"), "byte for byte");
    assert_eq!(
        (&*asking.about[0].delivery_id, &*asking.about[0].document_id),
        (&*held.delivery_id, DOCUMENT)
    );
    // The answer as a file names the document, not the revocation.
    let answered = h49.submit(edxml("", fixture("status_16.edxml"))).await.unwrap().receipt.unwrap();
    assert_eq!((&*answered.message_id, &*answered.change_message_id), ("m-1", "r-1"));
    // 13 as a file asks again; the file is what H49 gets.
    let thirteen = g22.submit(edxml("", fixture("status_13.edxml"))).await.unwrap();
    assert_eq!(effects(&thirteen).into_iter().collect::<Vec<_>>(), [("H49", ChangeEffect::Asked)]);
    assert_eq!(&*take_one(&h49).await.payload, &*fixture("status_13.edxml"));
    let agreed = h49.submit(edxml("", fixture("status_15.edxml"))).await.unwrap().receipt.unwrap();
    assert_eq!((agreed.kind(), agreed.status()), (ReceiptKind::Status, BusinessStatus::ChangeAgreed));
    let story = g22.track("", "m-1").await.unwrap();
    assert_eq!(story.deliveries[0].status(), BusinessStatus::ChangeAgreed);
    assert_eq!(story.lineage.len(), 3);
    assert_eq!(gateway.stop(), Some(0));
}

async fn an_update_and_a_replacement_take_effect(set_up: SetUp) {
    let (_site, gateway, g22, h49, h05, _surroundings) = started(set_up).await;
    g22.submit(with_document_id("old", UPDATED, &["H49", "H02"])).await.unwrap();
    let first = take_one(&h49).await;
    take_one(&h05).await;
    // H02 is taken off, H05, who took over from it, is added: both are H05, and one message tells it.
    let updated = g22.submit(edxml("u-1", fixture("update.edxml"))).await;
    let updated = updated.unwrap();
    assert_eq!(updated.changed.as_ref().unwrap().deliveries.len(), 2);
    let asking = take_one(&h49).await;
    assert_eq!((&*asking.payload, asking.about[0].asked()), (&*fixture("update.edxml"), MessageKind::Update));
    report(&h49, &first.delivery_id, BusinessStatus::ChangeAgreed, "").await.receipt.unwrap();

    for (n, id) in REPLACED.iter().enumerate() {
        g22.submit(with_document_id(&format!("old-{n}"), id, &["H49"])).await.unwrap();
    }
    let old = take_one(&h49).await;
    let replaced = g22.submit(edxml("n-1", fixture("replacement.edxml"))).await.unwrap();
    let changed = replaced.changed.unwrap();
    // The second is replaced for H49.12 only, which was not sent it.
    assert_eq!(changed.deliveries.len(), 1);
    assert_eq!(
        (changed.deliveries[0].effect(), &*changed.deliveries[0].delivery_id),
        (ChangeEffect::Asked, &*old.delivery_id)
    );
    let second = take_one(&h49).await;
    assert_eq!(second.envelope.unwrap().message_id, "old-1");
    let new = take_one(&h49).await;
    assert_eq!(
        (&*new.payload, new.about[0].asked()),
        (&*fixture("replacement.edxml"), MessageKind::Replacement)
    );
    assert_eq!(gateway.stop(), Some(0));
}
