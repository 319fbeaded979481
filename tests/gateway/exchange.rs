//! A document's way, from its sender to its recipients, with every receipt.

use truc::proto::v1::ReceiptKind::{Accepted, Delivered, Offered, Redirected};
use truc::proto::v1::{DeliveryState, ReceiptKind};

use crate::support::{Site, delivered, document};

#[tokio::test(flavor = "multi_thread")]
async fn a_document_goes_to_an_open_organ_and_to_the_successor_of_a_closed_one() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    let h49 = site.agency(&gateway, "H49").await;
    let h05 = site.agency(&gateway, "H05").await;

    let payload = b"%PDF-1.7 noi dung".to_vec();
    let accepted = g22.submit(document("m-1", &["000.00.00.H49", "H02"], payload.clone())).await.unwrap();
    assert_eq!(accepted.receipt.as_ref().unwrap().kind(), Accepted);
    let to: Vec<_> = accepted.deliveries.iter().map(|d| (&*d.recipient, &*d.addressed_to)).collect();
    assert_eq!(to, [("H49", ""), ("H05", "H02")]);

    // One by a stream, the other by fetching.
    let mut collecting = h49.collect(8).await;
    let first = collecting.deliveries().await.remove(0);
    assert_eq!(first.payload, payload);
    collecting.settle(vec![delivered(&first)]).await;
    let second = h05.fetch(1, 5).await.remove(0);
    assert_eq!((second.recipient.as_str(), second.addressed_to.as_str()), ("H05", "H02"));
    assert_eq!(h05.settle(vec![delivered(&second)]).await[0].state(), DeliveryState::Delivered);
    let settled = crate::support::soon("settled", collecting.responses.message()).await.unwrap().unwrap();
    assert_eq!(settled.settled[0].state(), DeliveryState::Delivered);

    let story = g22.track("", "m-1").await.unwrap();
    assert!(story.deliveries.iter().all(|d| d.state() == DeliveryState::Delivered));
    let rungs = |recipient: &str| -> Vec<ReceiptKind> {
        let about = |r: &&truc::proto::v1::Receipt| r.recipient.is_empty() || r.recipient == recipient;
        story.receipts.iter().filter(about).map(|r| r.kind()).collect()
    };
    assert_eq!(rungs("H49"), [Accepted, Offered, Delivered]);
    assert_eq!(rungs("H05"), [Accepted, Redirected, Offered, Delivered]);
    let (receipts, _) = g22.receipts("").await;
    let numbers: Vec<_> = receipts.iter().map(|r| r.sender_sequence).collect();
    assert_eq!(numbers, (1..=6).collect::<Vec<u64>>());
    // A recipient sees its own part.
    let seen = h49.track("G22", "m-1").await.unwrap();
    assert_eq!(seen.deliveries.len(), 1);
    assert_eq!(seen.receipts.len(), 3);
    assert_eq!(gateway.get("/readyz").await.0, "HTTP/1.1 200 OK");
    assert_eq!(gateway.stop(), Some(0));
}
