//! What a recipient's system does: takes what is for it, settles, reports.

use truc::proto::v1::{self, BusinessStatus};

use crate::site::{Agency, delivered, edxml, soon};
use crate::stage::{SENDER, document_id};

/// Takes the next delivery, which is to be this message, and takes it over.
pub async fn take(agency: &Agency, message_id: &str) -> v1::Delivery {
    let fetched = agency.fetch(1, 25).await;
    let [delivery] = fetched.as_slice() else { panic!("{}: {message_id} does not come", agency.id) };
    assert_eq!(delivery.envelope.as_ref().unwrap().message_id, message_id, "{}", agency.id);
    let settled = agency.settle(vec![delivered(delivery)]).await;
    assert_eq!(settled[0].state(), v1::DeliveryState::Delivered);
    delivery.clone()
}

/// Reports a status of a delivery, which is taken.
pub async fn report(agency: &Agency, delivery_id: &str, status: BusinessStatus, reason: &str) {
    let report = v1::StatusReport {
        delivery_id: delivery_id.into(),
        status: status.into(),
        reason: reason.into(),
        ..Default::default()
    };
    let request = v1::ReportStatusRequest { organ: String::new(), reports: vec![report] };
    let response = soon("a report", agency.exchange.clone().report_status(request)).await.unwrap();
    let result = &response.into_inner().results[0];
    assert!(result.receipt.is_some(), "{} {status:?}: {:?}", agency.id, result.refusal);
}

/// Answers what a delivery asks about earlier documents: 15 to those it agrees to, 16 to the others.
pub async fn answer(
    agency: &Agency,
    asking: &v1::Delivery,
    agrees: impl Fn(&v1::About) -> Result<(), &'static str>,
) {
    assert!(!asking.about.is_empty(), "{} is asked nothing", agency.id);
    for about in &asking.about {
        match agrees(about) {
            Ok(()) => report(agency, &about.delivery_id, BusinessStatus::ChangeAgreed, "").await,
            Err(why) => report(agency, &about.delivery_id, BusinessStatus::ChangeRefused, why).await,
        }
    }
}

/// Says in an edXML status message that the document of a number is registered; gives the file.
pub async fn register_in_edxml(agency: &Agency, number: &str) -> Vec<u8> {
    let (organ, document) = (&agency.id, document_id(number));
    let file = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<edXML xmlns="http://www.mic.gov.vn/TBT/QCVN_102_2016"><edXMLEnvelope><edXMLHeader><MessageHeader>
<From><OrganId>000.00.00.{organ}</OrganId><OrganName>Ủy ban nhân dân tỉnh thử nghiệm</OrganName></From>
<ResponseFor><OrganId>000.00.00.{SENDER}</OrganId><Code>{number}/VPCP-TH</Code>
<PromulgationDate>2026/11/20</PromulgationDate><DocumentId>{document}</DocumentId></ResponseFor>
<StaffInfo><Department>Văn thư</Department><Staff>Nguyễn Thị Mẫu</Staff></StaffInfo>
<StatusCode>03</StatusCode><Description>Đã tiếp nhận, vào sổ văn bản đến</Description>
<Timestamp>2026/11/20 09:10:11</Timestamp></MessageHeader></edXMLHeader></edXMLEnvelope></edXML>"#
    )
    .into_bytes();
    let acceptance = agency.submit(edxml("", file.clone())).await.unwrap();
    assert_eq!(acceptance.receipt.unwrap().kind(), v1::ReceiptKind::Status);
    file
}
