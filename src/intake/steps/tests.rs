use super::*;
use crate::domain::time::Timestamp;

fn written() -> v1::DossierStep {
    v1::DossierStep {
        dossier_code: "000.00.14.H20-200703-0002".to_owned(),
        step: 1,
        procedure_code: "1.004194".to_owned(),
        status: 2,
        occurred_time: Some(convert::timestamp(Timestamp::from_micros(5))),
        ..Default::default()
    }
}

fn read_one(written: &v1::DossierStep) -> Result<Step, Refusal> {
    let code = code(&written.dossier_code, "dossier_code")?;
    read(written, code, &OrganId::parse("H20").unwrap(), &CodeMap::read("".as_ref()).unwrap())
}

type Change = fn(&mut v1::DossierStep);

#[test]
fn each_fault_of_a_step_is_told_with_its_reason_and_field() {
    let cases: [(Reason, &str, Change); 16] = [
        (Reason::InvalidDossierCode, "dossier_code", |s| s.dossier_code.clear()),
        (Reason::InvalidDossierCode, "dossier_code", |s| s.dossier_code = "H20-200230-1".into()),
        (Reason::MissingField, "procedure_code", |s| s.procedure_code.clear()),
        (Reason::InvalidField, "procedure_code", |s| s.procedure_code = "a b".into()),
        (Reason::MissingField, "status", |s| s.status = 0),
        (Reason::UnknownDossierStatus, "status", |s| s.status = 11),
        (Reason::UnknownDossierStatus, "status", |s| s.status = -1),
        (Reason::UnknownDossierStatus, "status", |s| s.own_status = Some(v1::OwnStatusCode::default())),
        (Reason::MissingField, "own_status.code_set", |s| {
            (s.status, s.own_status) = (0, Some(v1::OwnStatusCode::default()));
        }),
        (Reason::MissingField, "occurred_time", |s| s.occurred_time = None),
        (Reason::InvalidField, "due_time", |s| {
            s.due_time = Some(prost_types::Timestamp { seconds: 0, nanos: -1 });
        }),
        (Reason::FieldTooLong, "note", |s| s.note = "đ".repeat(DOSSIER_NOTE_CHARS_MAX + 1)),
        (Reason::InvalidField, "note", |s| s.note = "\u{7}".into()),
        (Reason::FieldTooLong, "actor.position", |s| {
            s.actor = Some(v1::DossierActor { position: "x".repeat(201), ..Default::default() });
        }),
        (Reason::InvalidField, "documents", |s| s.documents = vec![v1::DossierDocument::default(); 21]),
        (Reason::InvalidField, "documents[0].message_id", |s| {
            s.documents = vec![v1::DossierDocument { sender: "H20".into(), message_id: "ä".into() }];
        }),
    ];
    for (reason, field, change) in cases {
        let mut step = written();
        change(&mut step);
        let refusal = read_one(&step).unwrap_err();
        assert_eq!((refusal.reason(), refusal.field_path()), (reason, field));
        assert!(!refusal.hint_text().is_empty(), "{field}");
    }
}

#[test]
fn own_codes_are_translated_and_kept() {
    let own = |code: &str| {
        let own_status = Some(v1::OwnStatusCode { code_set: "portal-text".into(), code: code.into() });
        v1::DossierStep { status: 0, own_status, ..written() }
    };
    let known = read_one(&own("Đang xử lý")).unwrap();
    assert_eq!(known.status.known(), Some(DossierStatus::InProcess));
    let unknown = read_one(&own("Đang ngủ")).unwrap();
    assert_eq!((unknown.status.known(), unknown.status.own().unwrap().code.as_str()), (None, "Đang ngủ"));
    let new = new_step(&unknown, own("Đang ngủ"), &OrganId::parse("H20").unwrap(), Timestamp::EPOCH);
    let event = v1::DossierEvent::decode(new.body).unwrap();
    assert_eq!((event.dossier_code.as_str(), event.owner.as_str()), ("H20.14-20200703-0002", "H20.14"));
    let step = event.step.unwrap();
    assert_eq!((step.status, step.own_status.unwrap().code.as_str()), (0, "Đang ngủ"));
    assert_eq!(step.dossier_code, "000.00.14.H20-200703-0002");
}

#[test]
fn owners_those_who_act_for_them_and_those_who_took_over_stand_for_a_dossier() {
    let directory = Directory::from_csv_texts(&[(
        "organs.csv",
        "organ_id,name,open_date,close_date,successors,legal_basis,acts_for_below\n\
         H49,Quảng Ninh,,,,,true\nH50,Quảng Trị,,,,,\nG09,Bộ,,,,,\nH45,Quảng Bình,,2025-07-01,H50,Sáp nhập,\n",
    )])
    .unwrap();
    let id = |text| OrganId::parse(text).unwrap();
    let today = Date::from_calendar_date(2026, time::Month::January, 5).unwrap();
    let stands = |organ, owner| stands_for(&directory, &id(organ), &id(owner), today, Ambiguity::Refuse);
    assert!(stands("H49", "H49") && stands("H49", "H49.12"));
    assert!(!stands("H50", "H50.12") && !stands("G09", "H49"));
    // Closed, and the organs below it that the directory does not know.
    assert!(stands("H50", "H45") && stands("H50", "H45.7"));
    assert!(!stands("H49", "H45"));
}
