//! The door: what each bad input gets, and that the gateway serves as before afterwards.

mod callers;
mod collecting;
mod documents;
mod edxml;
mod page;
mod raw;
mod reading;
mod recipients;
mod reporting;
mod settling;
mod stream;
mod table;

use tonic::Status;
use tonic::transport::Channel;
use truc::proto::v1::{self, DeliveryState};

use crate::support::{Agency, Process, Site, delivered, document};
use table::Table;

/// Payloads may have so many bytes here.
const PAYLOAD_BYTES_MAX: usize = 400_000;

/// Organs beside those the program carries, of every kind that matters at the door.
const ORGANS: &str = "\
H49.12,Sở Nội vụ thử,,,,,
H49.14,Sở không cho cấp trên thay,,,,,false
H49.14.1,Phòng thuộc sở đó,,,,,
I01,Cơ quan không thay cấp dưới,,,,,false
I01.1,Đơn vị của cơ quan đó,,,,,
K01,Cơ quan đã đóng,,2025-07-01,,QĐ thử,
K02,Cơ quan đã tách,,2025-07-01,K03;K04,QĐ thử,
K03,Một nửa,,,,,
K04,Nửa kia,,,,,
K05,Cơ quan chưa mở,2099-01-01,,,,";

/// A gateway and those who knock at its door.
struct Door {
    site: Site,
    gateway: Process,
    g22: Agency,
    h49: Agency,
    channel: Channel,
}

impl Door {
    async fn open() -> Self {
        let mut site = Site::new(&[&format!("limits.payload_bytes_max = {PAYLOAD_BYTES_MAX}")]);
        site.directory(ORGANS);
        let gateway = site.start();
        let (g22, h49) = (site.agency(&gateway, "G22").await, site.agency(&gateway, "H49").await);
        let channel = site.channel(&gateway, &site.organ("G22")).await;
        Self { site, gateway, g22, h49, channel }
    }

    /// Hands over what is to be refused.
    async fn submit(&self, submission: v1::Submission) -> Result<v1::Acceptance, Status> {
        self.g22.submit(submission).await
    }

    /// A normal exchange, from one end to the other.
    async fn exchange(&self, message_id: &str) {
        let before = self.h49.fetch(100, 0).await;
        self.h49.settle(before.iter().map(delivered).chain([nobody()]).collect()).await;
        self.submit(document(message_id, &["H49"], b"noi dung".to_vec())).await.unwrap();
        let delivery = self.h49.fetch(10, 10).await.remove(0);
        assert_eq!(delivery.envelope.as_ref().unwrap().message_id, message_id);
        assert_eq!(delivery.payload, b"noi dung".as_slice());
        let settled = self.h49.settle(vec![delivered(&delivery)]).await;
        assert_eq!(settled[0].state(), DeliveryState::Delivered);
    }

    /// The message ids G22 has in the ledger.
    async fn stored(&self) -> Vec<String> {
        let request = v1::ListSentRequest { page_size: 200, ..Default::default() };
        let sent = self.g22.exchange.clone().list_sent(request).await.unwrap().into_inner().messages;
        sent.into_iter().map(|message| message.envelope.unwrap().message_id).collect()
    }
}

/// A settlement of no delivery, so that a batch is never empty.
fn nobody() -> v1::Settlement {
    v1::Settlement { delivery_id: "d999999999".into(), lease: "a1".into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_input_gets_its_reason_and_the_gateway_serves_as_before() {
    let door = Door::open().await;
    let mut table = Table::default();
    door.exchange("good-before").await;
    raw::rows(&door, &mut table).await;
    documents::rows(&door, &mut table).await;
    recipients::rows(&door, &mut table).await;
    edxml::rows(&door, &mut table).await;
    callers::rows(&door, &mut table).await;
    reading::rows(&door, &mut table).await;
    settling::rows(&door, &mut table).await;
    Box::pin(reporting::rows(&door, &mut table)).await;
    collecting::rows(&door, &mut table).await;
    door.exchange("good-after").await;

    let stored = door.stored().await;
    assert!(stored.iter().all(|id| id.starts_with("good-")), "nothing refused is stored: {stored:?}");
    let shown = door.gateway.metric("truc_refusals_total{reason=\"MISSING_FIELD\"}").await;
    assert!(shown >= 10.0, "refusals are counted: {shown}");
    assert_eq!(door.gateway.get("/readyz").await.0, "HTTP/1.1 200 OK");
    table.finish(60);
    assert_eq!(door.gateway.stop(), Some(0));
}
