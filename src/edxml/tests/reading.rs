//! What is read from good files, in all their variance.

use time::macros::{date, datetime};

use super::*;
use crate::domain::message::Urgency;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn every_field_of_a_new_document() {
    let read = document(NEW);
    assert_eq!(
        read.from,
        Party {
            organ: "G22".parse().unwrap(),
            in_charge: some("Cơ quan cấp trên thử nghiệm 22"),
            name: some("Cơ quan thử nghiệm 22"),
            address: some("Số 22, đường Thử Nghiệm, thành phố Mẫu"),
            email: some("vanthu22@vidu.example"),
            telephone: some("(024) 0000 0022"),
            fax: some("0240000122"),
            website: some("www22.vidu.example"),
        }
    );
    let recipients: Vec<&str> = read.to.iter().map(|to| to.organ.as_str()).collect();
    assert_eq!(recipients, ["H49", "H02"]);
    assert_eq!(read.document_id, some("000.00.00.G22,2025/07/02,1234/VD-TN"));
    assert_eq!(read.code, Code { number: "1234".into(), notation: "VD-TN".into() });
    assert_eq!(read.promulgation, Promulgation { place: some("Thành phố Mẫu"), date: date!(2025 - 07 - 02) });
    let document_type =
        DocumentType { group: some("2"), detail: some("9"), name: some("Công văn thử nghiệm") };
    assert_eq!(read.document_type, document_type);
    assert_eq!(read.subject, "V/v thử nghiệm liên thông & bảo mật dữ liệu");
    assert_eq!(read.content, some("Trích yếu dài hơn của văn bản thử nghiệm"));
    let signer = read.signer.unwrap();
    assert_eq!(signer.competence, some("TL. THỦ TRƯỞNG"));
    assert_eq!(signer.position, some("Chánh Văn phòng thử nghiệm"));
    assert_eq!(signer.full_name, some("Nguyễn Văn Mẫu"));
    assert_eq!(read.due_date, Some(date!(2025 - 07 - 31)));
    assert_eq!(read.to_places, ["Như trên", "Lưu: VT, Phòng Mẫu"]);
    assert_eq!(read.steering, Steering::Steering);
    assert_eq!(read.tasks, ["NV-2025-0001"]);
    assert_eq!(read.application_type, some("9001"));
    assert_eq!(
        read.hops,
        [Hop { organ: "000.00.00.G22".into(), time: Some(datetime!(2025-07-02 08:15:30 +7)) }]
    );
    assert!(read.is_signed);
}

#[test]
fn the_other_information_of_a_new_document() {
    let read = document(NEW);
    assert_eq!(
        read.other,
        OtherInfo {
            urgency: Urgency::Normal,
            sphere: some("Liên thông văn bản thử nghiệm"),
            typist: some("TTM"),
            copies: some("34"),
            pages: some("56"),
            direction: some("false"),
            reply_fors: vec!["12/VD-TN".into()],
            reference_codes: vec!["78/VD-TN".into()],
            appendixes: vec!["Phụ lục thử nghiệm số một".into(), "Phụ lục thử nghiệm số hai".into()],
        }
    );
    let answered = ResponseFor {
        organ: Some("H49".parse().unwrap()),
        code: some("56/VD-TN"),
        document_id: some("000.00.00.H49,2025/02/30,56/VD-TN"),
        promulgation_date: Some(date!(2025 - 06 - 30)),
    };
    assert_eq!(read.response_for, [answered]);
    assert_eq!(read.business.kind, BusinessKind::New);
    assert_eq!(read.business.reason, some("Văn bản điện tử mới"));
    assert_eq!(read.business.paper, some("0"));
    let staff = read.business.staff.unwrap();
    assert_eq!(staff.department, some("Phòng Văn thư thử nghiệm"));
    assert_eq!((staff.department_id, staff.id), (some("PVT01"), some("NV0007")));
    assert_eq!((staff.name, staff.mobile), (some("Trần Thị Mẫu"), some("0900000007")));
    assert_eq!(staff.email, some("mau.tran@vidu.example"));
}

#[test]
fn references_and_attachments_are_paired_and_looked_into() {
    let read = document(NEW);
    let [reference] = &read.references[..] else { panic!("one reference") };
    assert_eq!(reference.content_id, some("thu-nghiem-1"));
    assert_eq!(reference.content_type, some("application/zip"));
    assert_eq!(reference.description, some("Bản chính thử nghiệm"));
    assert_eq!(reference.name, some("cong-van-thu-nghiem.txt"));
    assert!(reference.is_attached);
    let [attachment] = &read.attachments[..] else { panic!("one attachment") };
    assert_eq!(attachment.content_id, some("thu-nghiem-1"));
    assert_eq!(attachment.name, some("cong-van-thu-nghiem.txt"));
    let entry = "7d0f6c1e-4a52-4b8e-9d57-000000000001.txt".to_owned();
    assert_eq!(attachment.inside, Inside::Zip { entry, bytes: 816 });
    assert!(attachment.encoded_bytes > 300 && attachment.is_referenced);
}

#[test]
fn updates_replacements_and_revocations() {
    let update = document(UPDATE).business;
    assert_eq!(update.document_id, some("000.00.00.G22,2025/02/30,1200/VD-TN"));
    let changes = [("H02", Change::Removed), ("H05", Change::Added)]
        .map(|(organ, change)| RecipientChange { organ: organ.parse().unwrap(), change });
    assert_eq!(
        update.kind,
        BusinessKind::Update(Update { document: false, recipients: true, changes: changes.into() })
    );
    let replaced = |document_id: &str, organs: &[&str]| Replacement {
        document_id: document_id.into(),
        organs: organs.iter().map(|organ| organ.parse().unwrap()).collect(),
    };
    let replacements = vec![
        replaced("000.00.00.G22,2025/06/01,1100/VD-TN", &["H49", "H02"]),
        replaced("000.00.00.G22,2025/06/02,1101/VD-TN", &["H49.12"]),
    ];
    assert_eq!(document(REPLACEMENT).business.kind, BusinessKind::Replace(replacements));
    let revocation = document(REVOCATION);
    assert_eq!(revocation.business.kind, BusinessKind::Revoke);
    assert_eq!(revocation.business.document_id, None);
    assert_eq!(revocation.code, document(NEW).code);
    let absent = without(NEW, "Bussiness");
    assert_eq!(document(&absent).business, Business::default());
}

#[test]
fn every_field_of_a_status() {
    let read = status(REFUSED);
    assert_eq!(read.from.organ.as_str(), "H49");
    assert_eq!(read.recipient().as_str(), "G22");
    assert_eq!(read.response_for.code, some("1234/VD-TN"));
    assert_eq!(read.response_for.document_id, some("000.00.00.G22,2025/07/02,1234/VD-TN"));
    assert_eq!(read.response_for.promulgation_date, Some(date!(2025 - 07 - 02)));
    assert_eq!(read.staff.as_ref().and_then(|staff| staff.name.clone()), some("Trần Thị Mẫu"));
    assert_eq!(read.code, StatusCode::Refused);
    assert_eq!(read.description, some("Từ chối: gửi nhầm nơi nhận"));
    assert_eq!(read.time, Some(datetime!(2025-07-02 09:10:11 +7)));
}

#[test]
fn status_codes() {
    let codes = [
        ("01", StatusCode::Arrived),
        ("02", StatusCode::Refused),
        ("03", StatusCode::Accepted),
        ("04", StatusCode::Assigned),
        ("05", StatusCode::InProcess),
        ("06", StatusCode::Done),
        ("13", StatusCode::RecallAsked),
        ("15", StatusCode::ChangeAgreed),
        ("16", StatusCode::ChangeRefused),
        ("3", StatusCode::Accepted),
    ];
    for (written, code) in codes {
        let file = changed(REFUSED, ">02</edXML:StatusCode>", &format!(">{written}</edXML:StatusCode>"));
        assert_eq!(status(&file).code, code);
    }
}

macro_rules! variance {
    ($name:literal) => {
        document(include_str!(concat!("../../../tests/fixtures/edxml/variance_", $name, ".edxml")))
    };
}

#[test]
fn order_prefixes_and_line_ends_do_not_matter() {
    let plain = document(&without(NEW, "ResponseFor"));
    for other in [variance!("order"), variance!("other_prefix"), variance!("no_namespace_attachments")] {
        assert_eq!(other, plain);
    }
    assert_eq!(variance!("unprefixed"), document(NEW));
    for mut other in [variance!("crlf"), variance!("escaped_line_ends")] {
        assert!(other.attachments[0].encoded_bytes > plain.attachments[0].encoded_bytes);
        other.attachments[0].encoded_bytes = plain.attachments[0].encoded_bytes;
        assert_eq!(other, plain);
    }
    for other in [variance!("day_first_dates"), variance!("iso_dates")] {
        assert_eq!(other.promulgation.date, plain.promulgation.date);
        assert_eq!((other.due_date, other.hops), (plain.due_date, plain.hops.clone()));
    }
}

#[test]
fn ids_signatures_and_attributes_vary() {
    let bare = variance!("bare_ids_unsigned");
    assert!(!bare.is_signed && bare.references[0].is_attached && bare.attachments[0].is_referenced);
    let attributes = variance!("attributes");
    assert_eq!(attributes.references[0].content_id, some("thu-nghiem-1"));
    assert!(attributes.references[0].is_attached && attributes.hops.len() == 1);
    let nulls = variance!("null_organ_ids");
    assert_eq!((nulls.response_for[0].organ.clone(), &*nulls.hops[0].organ), (None, "null"));
    let mixed: Vec<String> = variance!("mixed_organ_ids").to.iter().map(|to| to.organ.to_string()).collect();
    assert_eq!(mixed, ["H17.22.28", "H49.12", "H37.DN.001"]);
}

#[test]
fn attachments_vary() {
    let unpaired = variance!("unpaired_manifest");
    assert!(!unpaired.references[0].is_attached && !unpaired.attachments[0].is_referenced);
    assert_eq!(variance!("raw_attachment").attachments[0].inside, Inside::File { bytes: 816 });
    let none = variance!("no_attachment");
    assert!(none.references.is_empty() && none.attachments.is_empty());
    let from = NEW.find("UEsDB").unwrap();
    let to = from + NEW[from..].find('<').unwrap();
    let empty = format!("{}{}", &NEW[..from], &NEW[to..]);
    assert_eq!(document(&empty).attachments[0].inside, Inside::Empty);
}

#[test]
fn lists_vary() {
    let deep = "<edXML:ReplyFors><edXML:x><edXML:y>12/VD-TN</edXML:y><edXML:y/></edXML:x><edXML:z>13/VD-TN</edXML:z>";
    let read = document(&changed(NEW, "<edXML:ReplyFors><edXML:ReplyFor>12/VD-TN</edXML:ReplyFor>", deep));
    assert_eq!(read.other.reply_fors, ["12/VD-TN", "13/VD-TN"]);
    let flat = changed(
        &without(NEW, "ToPlaces"),
        "<edXML:SteeringType>",
        "<edXML:ToPlaces>Như trên</edXML:ToPlaces><edXML:SteeringType>",
    );
    assert_eq!(document(&flat).to_places, ["Như trên"]);
}

#[test]
fn older_namespaces_and_roots() {
    let go_vn = variance!("go_vn_edoc");
    assert_eq!(go_vn, variance!("e_doc_vn_schema"));
    assert_eq!(go_vn.to[0].organ.as_str(), "H49.12");
    assert_eq!(go_vn.promulgation.date, date!(2025 - 07 - 02));
    assert_eq!(go_vn.document_type.name, some("Công văn thử nghiệm"));
    assert_eq!(go_vn.signer.unwrap().full_name, some("Nguyễn Văn Mẫu"));
    assert_eq!(go_vn.other.urgency, Urgency::Urgent);
    assert_eq!(go_vn.hops.len(), 1);
    assert_eq!(go_vn.attachments[0].name, some("cong-van-thu-nghiem.txt"));
    assert_eq!(go_vn.attachments[0].content_type, some("text/plain"));
    assert_eq!(go_vn.attachments[0].inside, Inside::File { bytes: 816 });
}
