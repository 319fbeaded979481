//! What goes beyond a limit or is there twice.

use super::*;
use crate::domain::limits::RECIPIENTS_MAX;
use crate::domain::refusal::Reason::*;
use crate::edxml::limits::TEXT_BYTES_MAX;

#[test]
fn texts_beyond_the_known_limits() {
    for (text, max, field) in [
        ("Cơ quan thử nghiệm 22", 200, "MessageHeader.From.OrganName"),
        ("Số 49, đường Thử Nghiệm, thành phố Mẫu", 500, "MessageHeader.To[1].OrganAdd"),
        ("vanthu02@vidu.example", 100, "MessageHeader.To[2].Email"),
        ("(024) 0000 0022", 20, "MessageHeader.From.Telephone"),
        ("0240000122", 20, "MessageHeader.From.Fax"),
        ("www22.vidu.example", 20, "MessageHeader.From.Website"),
        ("1234</", 11, "MessageHeader.Code.CodeNumber"),
        ("VD-TN</edXML:CodeNotation", 30, "MessageHeader.Code.CodeNotation"),
        ("Thành phố Mẫu<", 50, "MessageHeader.PromulgationInfo.Place"),
        ("Công văn thử nghiệm", 100, "MessageHeader.DocumentType.TypeName"),
        ("V/v thử nghiệm liên thông &amp; bảo mật dữ liệu", 500, "MessageHeader.Subject"),
        ("Trích yếu dài hơn của văn bản thử nghiệm", 500, "MessageHeader.Content"),
        ("Nguyễn Văn Mẫu", 100, "MessageHeader.SignerInfo.FullName"),
        ("Lưu: VT, Phòng Mẫu", 150, "MessageHeader.ToPlaces.Place[2]"),
        ("000.00.00.G22,2025/07/02,1234/VD-TN", 200, "MessageHeader.DocumentId"),
        ("Phụ lục thử nghiệm số hai", 1_000, "MessageHeader.OtherInfo.Appendixes.Appendix[2]"),
        ("NV-2025-0001", 1_000, "MessageHeader.ResponseForTask.TaskCode[1]"),
        ("cong-van-thu-nghiem.txt", 500, "edXMLManifest.Reference[1].AttachmentName"),
        ("cong-van-thu-nghiem.txt</AttachmentName", 500, "AttachmentEncoded.Attachment[1].AttachmentName"),
        ("Văn bản điện tử mới", 1_000, "TraceHeaderList.Bussiness.BussinessDocReason"),
        ("0900000007", 1_000, "TraceHeaderList.Bussiness.StaffInfo.Mobile"),
    ] {
        let rest = text.find('<').map_or("", |at| &text[at..]);
        let with_length = |chars: usize| changed(NEW, text, &format!("{}{rest}", "ộ".repeat(chars)));
        assert_refused(&with_length(max + 1), FieldTooLong, field);
        assert!(read(with_length(max).as_bytes()).is_ok(), "{field} may have {max} characters");
        let refusal = read(with_length(max + 1).as_bytes()).unwrap_err();
        assert_eq!(refusal.metadata()["limit"], max.to_string());
    }
    let endless = changed(NEW, "Nguyễn Văn Mẫu", &"&amp;".repeat(TEXT_BYTES_MAX + 1));
    assert_refused(&endless, FieldTooLong, "MessageHeader.SignerInfo.FullName");
}

#[test]
fn organ_ids_that_are_none() {
    for (from, to, field) in [
        (">000.00.00.G22<", ">000.00.00.00.G22<", "MessageHeader.From.OrganId"),
        (">000.00.00.G22<", ">Văn phòng<", "MessageHeader.From.OrganId"),
        (">H02<", ">H2<", "MessageHeader.To[2].OrganId"),
        (">H02<", ">H02..1<", "MessageHeader.To[2].OrganId"),
        (
            "ResponseFor>\n          <edXML:OrganId>000.00.00.H49<",
            "ResponseFor>\n          <edXML:OrganId>?<",
            "MessageHeader.ResponseFor[1].OrganId",
        ),
    ] {
        assert_refused(&changed(NEW, from, to), InvalidOrganId, field);
    }
    let list = "TraceHeaderList.Bussiness.ReplacementInfoList.ReplacementInfo[2].OrganIdList.OrganId[1]";
    assert_refused(&changed(REPLACEMENT, ">000.00.12.H49<", ">12<"), InvalidOrganId, list);
}

#[test]
fn recipients_named_twice_or_too_many() {
    for twice in ["H49", "h49", " 000.00.00.H49 "] {
        let file = changed(NEW, ">H02<", &format!(">{twice}<"));
        assert_refused(&file, DuplicateRecipient, "MessageHeader.To[2].OrganId");
    }
    let without_to = without(&without(NEW, "To"), "To");
    let with_recipients = |count: usize| {
        let to = |n| format!("<edXML:To><edXML:OrganId>H49.{n}</edXML:OrganId></edXML:To>");
        let all: String = (1..=count).map(to).collect();
        changed(&without_to, "<edXML:DocumentId>", &format!("{all}<edXML:DocumentId>"))
    };
    assert_eq!(document(&with_recipients(RECIPIENTS_MAX)).to.len(), RECIPIENTS_MAX);
    assert_refused(&with_recipients(RECIPIENTS_MAX + 1), TooManyRecipients, "MessageHeader.To");
}

#[test]
fn elements_that_may_be_there_once() {
    for (element, field) in [
        ("Subject", "MessageHeader.Subject"),
        ("From", "MessageHeader.From"),
        ("Code", "MessageHeader.Code"),
        ("CodeNumber", "MessageHeader.Code.CodeNumber"),
        ("DocumentId", "MessageHeader.DocumentId"),
        ("PromulgationDate", "MessageHeader.PromulgationInfo.PromulgationDate"),
        ("OtherInfo", "MessageHeader.OtherInfo"),
        ("Priority", "MessageHeader.OtherInfo.Priority"),
        ("ToPlaces", "MessageHeader.ToPlaces"),
        ("Bussiness", "TraceHeaderList.Bussiness"),
        ("MessageHeader", "MessageHeader"),
        ("TraceHeaderList", "TraceHeaderList"),
        ("edXMLHeader", "edXMLHeader"),
        ("edXMLBody", "edXMLBody"),
    ] {
        let again = format!("</edXML:{element}><edXML:{element}/>");
        assert_refused(&changed(NEW, &format!("</edXML:{element}>"), &again), MalformedEdxml, field);
    }
    let again = changed(NEW, "</AttachmentEncoded>", "</AttachmentEncoded><AttachmentEncoded/>");
    assert_refused(&again, MalformedEdxml, "AttachmentEncoded");
}
