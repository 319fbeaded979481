//! What each bad file gets: reason, field, and a hint.

use super::*;
use crate::domain::refusal::Reason::*;

#[test]
fn required_fields() {
    for (element, field) in [
        ("MessageHeader", "MessageHeader"),
        ("From", "MessageHeader.From.OrganId"),
        ("OrganId", "MessageHeader.From.OrganId"),
        ("OrganName", "MessageHeader.From.OrganName"),
        ("Code", "MessageHeader.Code.CodeNumber"),
        ("CodeNumber", "MessageHeader.Code.CodeNumber"),
        ("CodeNotation", "MessageHeader.Code.CodeNotation"),
        ("PromulgationInfo", "MessageHeader.PromulgationInfo.PromulgationDate"),
        ("PromulgationDate", "MessageHeader.PromulgationInfo.PromulgationDate"),
        ("Subject", "MessageHeader.Subject"),
    ] {
        assert_refused(&without(&without(NEW, "ResponseFor"), element), MissingField, field);
    }
    assert_refused(&without(&without(NEW, "To"), "To"), MissingField, "MessageHeader.To");
    let replacing_nothing = without(REPLACEMENT, "ReplacementInfoList");
    let field = "TraceHeaderList.Bussiness.ReplacementInfoList.ReplacementInfo";
    assert_refused(&replacing_nothing, MissingField, field);
    let no_change = without(UPDATE, "ReceiverType");
    let field = "TraceHeaderList.Bussiness.BussinessDocumentInfo.ReceiverList.Receiver[1].ReceiverType";
    assert_refused(&no_change, MissingField, field);
}

#[test]
fn required_fields_that_are_empty_or_null() {
    for (from, to, field) in [
        ("<edXML:OrganId>000.00.00.G22<", "<edXML:OrganId>null<", "MessageHeader.From.OrganId"),
        ("<edXML:OrganId>000.00.00.G22<", "<edXML:OrganId> <", "MessageHeader.From.OrganId"),
        ("<edXML:OrganId>H02<", "<edXML:OrganId>NULL<", "MessageHeader.To[2].OrganId"),
        (">Cơ quan thử nghiệm 22<", ">\n <", "MessageHeader.From.OrganName"),
        (">1234<", "><", "MessageHeader.Code.CodeNumber"),
        ("<edXML:CodeNotation>VD-TN<", "<edXML:CodeNotation><", "MessageHeader.Code.CodeNotation"),
        (">2025/07/02<", "><", "MessageHeader.PromulgationInfo.PromulgationDate"),
        (">V/v thử nghiệm liên thông &amp; bảo mật dữ liệu<", ">&#32;<", "MessageHeader.Subject"),
    ] {
        assert_refused(&changed(NEW, from, to), MissingField, field);
    }
}

#[test]
fn required_fields_of_a_status() {
    for (element, field) in [
        ("From", "MessageHeader.From.OrganId"),
        ("OrganName", "MessageHeader.From.OrganName"),
        ("ResponseFor", "MessageHeader.ResponseFor.OrganId"),
        ("Code", "MessageHeader.ResponseFor.Code"),
        ("DocumentId", "MessageHeader.ResponseFor.DocumentId"),
        ("StatusCode", "MessageHeader.StatusCode"),
        ("Description", "MessageHeader.Description"),
    ] {
        assert_refused(&without(REFUSED, element), MissingField, field);
    }
    let null = changed(REFUSED, ">000.00.00.G22<", ">null<");
    assert_refused(&null, MissingField, "MessageHeader.ResponseFor.OrganId");
    let accepted =
        changed(&without(REFUSED, "Description"), ">02</edXML:StatusCode>", ">03</edXML:StatusCode>");
    assert_eq!(status(&accepted).description, None, "only a refusal needs a reason");
}

#[test]
fn values_a_field_cannot_have() {
    for (from, to, field) in [
        (">2025/07/02<", ">2025/02/30<", "MessageHeader.PromulgationInfo.PromulgationDate"),
        (">2025/07/02<", ">yesterday<", "MessageHeader.PromulgationInfo.PromulgationDate"),
        (">2025/07/31<", ">2025/06/31<", "MessageHeader.DueDate"),
        (">2025/06/30<", ">2025/6/30<", "MessageHeader.ResponseFor[1].PromulgationDate"),
        ("Priority>0<", "Priority>5<", "MessageHeader.OtherInfo.Priority"),
        ("Priority>0<", "Priority>-1<", "MessageHeader.OtherInfo.Priority"),
        ("Priority>0<", "Priority>khẩn<", "MessageHeader.OtherInfo.Priority"),
        ("Priority>0<", "Priority>+1<", "MessageHeader.OtherInfo.Priority"),
        ("SteeringType>2<", "SteeringType>4<", "MessageHeader.SteeringType"),
        ("BussinessDocType>0<", "BussinessDocType>4<", "TraceHeaderList.Bussiness.BussinessDocType"),
        ("BussinessDocType>0<", "BussinessDocType>999<", "TraceHeaderList.Bussiness.BussinessDocType"),
    ] {
        assert_refused(&changed(NEW, from, to), InvalidField, field);
    }
    let info = "TraceHeaderList.Bussiness.BussinessDocumentInfo";
    let receiver = format!("{info}.ReceiverList.Receiver[1].ReceiverType");
    assert_refused(&changed(UPDATE, "ReceiverType>0<", "ReceiverType>2<"), InvalidField, &receiver);
    let flag = format!("{info}.DocumentReceiver");
    assert_refused(&changed(UPDATE, "DocumentReceiver>1<", "DocumentReceiver>2<"), InvalidField, &flag);
    for code in ["00", "07", "14", "17", "x", "-1"] {
        let file = changed(REFUSED, ">02</edXML:StatusCode>", &format!(">{code}</edXML:StatusCode>"));
        assert_refused(&file, InvalidField, "MessageHeader.StatusCode");
    }
    let time = changed(REFUSED, "09:10:11", "25:10:11");
    assert_refused(&time, InvalidField, "MessageHeader.Timestamp");
    let to = changed(REFUSED, "<edXML:StaffInfo>", "<edXML:To/><edXML:StaffInfo>");
    assert_refused(&to, InvalidField, "MessageHeader.To");
}

#[test]
fn hops_are_not_judged() {
    let file = changed(NEW, "2025/07/02 08:15:30", "lúc sáng");
    let read = document(&changed(
        &file,
        "<edXML:TraceHeader>\n          <edXML:OrganId>000.00.00.G22",
        "<edXML:TraceHeader>\n          <edXML:OrganId>truc-tinh",
    ));
    assert_eq!(read.hops, [Hop { organ: "truc-tinh".into(), time: None }]);
}

#[test]
fn what_is_xml_but_not_edxml() {
    for file in
        ["<html/>", "<edXML/>", "<edXML xmlns='urn:other'><edXMLEnvelope/></edXML>", "<MessageHeader/>"]
    {
        assert_refused(file, MalformedEdxml, "");
    }
    assert_refused("<edXMLEnvelope/>", MissingField, "MessageHeader");
    let foreign = changed(NEW, "<edXML:Subject>", "<f:Subject xmlns:f='urn:other'>");
    assert_refused(
        &changed(&foreign, "</edXML:Subject>", "</f:Subject>"),
        MissingField,
        "MessageHeader.Subject",
    );
    let nested = changed(NEW, ">V/v", "><edXML:b>V/v</edXML:b><edXML:Content/><!-- ");
    assert_refused(
        &changed(&nested, "</edXML:Subject>", " --></edXML:Subject>"),
        MalformedEdxml,
        "MessageHeader.Subject",
    );
}

#[test]
fn attachments_that_cannot_be_read() {
    let from = NEW.find("UEsDB").unwrap();
    let to = from + NEW[from..].find('<').unwrap();
    let with_content = |content: &str| format!("{}{content}{}", &NEW[..from], &NEW[to..]);
    let field = "AttachmentEncoded.Attachment[1].ContentTransferEncoded";
    let content = &NEW[from..to];
    for bad in [
        &content[..content.len() - 4],
        &content[..content.len() - 1],
        "UEsDBA==",
        "UEsFBg==",
        "%PDF",
        "QQ=",
        "&#65;AAA",
    ] {
        assert_refused(&with_content(bad), MalformedEdxml, field);
    }
}

#[test]
fn markings_of_state_secrets() {
    let subject = ">V/v thử nghiệm liên thông &amp; bảo mật dữ liệu<";
    for (from, to, field) in [
        (subject, ">[MẬT] Báo cáo<", "MessageHeader.Subject"),
        (subject, ">Báo cáo. Độ mật: Tuyệt mật<", "MessageHeader.Subject"),
        (">Trích yếu", ">TỐI MẬT - Trích yếu", "MessageHeader.Content"),
        ("TypeName>Công văn thử nghiệm", "TypeName>Mật", "MessageHeader.DocumentType.TypeName"),
        (
            "Promulgation>Liên thông",
            "Promulgation>(MẬT) Liên thông",
            "MessageHeader.OtherInfo.SphereOfPromulgation",
        ),
        (">Văn bản điện tử mới", ">MẬT: mới", "TraceHeaderList.Bussiness.BussinessDocReason"),
        ("Name>cong-van", "Name>MẬT_cong-van", "edXMLManifest.Reference[1].AttachmentName"),
        (
            "<AttachmentName>cong-van",
            "<AttachmentName>[MẬT] cong-van",
            "AttachmentEncoded.Attachment[1].AttachmentName",
        ),
        ("<edXML:Content>", "<edXML:DoMat>Tối mật</edXML:DoMat><edXML:Content>", "MessageHeader.DoMat"),
        (
            "<edXML:Priority>",
            "<edXML:SecurityLevel>2</edXML:SecurityLevel><edXML:Priority>",
            "MessageHeader.OtherInfo.SecurityLevel",
        ),
        (
            "<edXML:Content>",
            "<f:Secrecy xmlns:f='urn:f'>A</f:Secrecy><edXML:Content>",
            "MessageHeader.Secrecy",
        ),
    ] {
        assert_refused(&changed(NEW, from, to), StateSecret, field);
    }
    for none in ["0", "none", "Thường", " Không ", ""] {
        let level = format!("<edXML:DoMat>{none}</edXML:DoMat><edXML:Content>");
        assert!(read(changed(NEW, "<edXML:Content>", &level).as_bytes()).is_ok(), "{none}");
    }
    let described = changed(REFUSED, ">Từ chối", ">TUYỆT MẬT - Từ chối");
    assert_refused(&described, StateSecret, "MessageHeader.Description");
}
