use super::*;
use crate::domain::organ_id::ParseOrganIdError;
use time::macros::date;

pub(super) const HEADER: &str = "organ_id,name,open_date,close_date,successors,legal_basis,acts_for_below\n";

pub(super) fn id(text: &str) -> OrganId {
    OrganId::parse(text).unwrap()
}

/// A directory of these rows, named `t.csv`.
pub(super) fn of_rows(rows: &str) -> Result<Directory, Error> {
    Directory::from_csv_texts(&[("t.csv", &format!("{HEADER}{rows}"))])
}

fn ids(organs: &[&Organ]) -> Vec<String> {
    organs.iter().map(|organ| organ.id.to_string()).collect()
}

#[test]
fn the_embedded_directory_has_the_organs_of_today() {
    let directory = Directory::embedded();
    assert_eq!(directory.len(), 85);
    let today = date!(2025 - 12 - 01);
    let all = Selection { at_or_below: None, include_closed: false, day: today };
    let open = directory.list(&all, None, 1_000);
    assert_eq!(open.iter().filter(|organ| organ.id.level_one().starts_with('G')).count(), 22);
    assert_eq!(open.iter().filter(|organ| organ.id.level_one().starts_with('H')).count(), 34);
    for organ in &*directory.organs {
        assert_eq!(organ.acts_for_below, Some(organ.is_open_on(today)), "{}", organ.id);
        assert!(!organ.legal_basis.is_empty());
    }
    assert_eq!(&*directory.get(&id("000.00.00.G22")).unwrap().name, "Văn phòng Chính phủ");
    assert_eq!(&*directory.get(&id("H49")).unwrap().name, "Ủy ban nhân dân tỉnh Quảng Ninh");
    assert!(directory.get(&id("H64")).is_none());
}

#[test]
fn lists_go_on_after_the_last_of_the_page() {
    let directory = Directory::embedded();
    let selection = Selection { at_or_below: None, include_closed: true, day: date!(2025 - 07 - 01) };
    let mut seen = Vec::new();
    loop {
        let page = directory.list(&selection, seen.last().map(|organ: &&Organ| &organ.id), 10);
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 10);
        seen.extend(page);
    }
    assert_eq!(seen.len(), directory.len());
    assert!(seen.is_sorted_by(|a, b| a.id < b.id));
}

#[test]
fn a_list_can_be_of_one_branch() {
    let directory = of_rows(
        "H49,a,,,,,\nH49.1,b,,,,,\nH49.1.2,c,,2020-01-01,,,\nH49.12,d,,,,,\nH49.1.3,e,,,,,\nH50,f,,,,,\n",
    )
    .unwrap();
    let branch = |top: &str, include_closed: bool, after: Option<&str>| {
        let top = id(top);
        let selection = Selection { at_or_below: Some(&top), include_closed, day: date!(2025 - 01 - 01) };
        ids(&directory.list(&selection, after.map(id).as_ref(), 10))
    };
    assert_eq!(branch("H49", false, None), ["H49", "H49.1", "H49.1.3", "H49.12"]);
    assert_eq!(branch("H49.1", true, None), ["H49.1", "H49.1.2", "H49.1.3"]);
    assert_eq!(branch("H49.1", true, Some("H49.1.2")), ["H49.1.3"]);
    assert_eq!(branch("H49.1", true, Some("A01")).len(), 3);
    assert!(branch("H49.1", true, Some("H50")).is_empty());
    assert!(branch("H48", true, None).is_empty());
}

#[test]
fn who_may_act_for_whom() {
    let directory = of_rows(
        "H49,province,,,,,true\nH49.1,department,,,,,\nH49.2,walled off,,,,,false\nH49.2.1,office,,,,,\n\
         H50,no rule,,,,,\nH51,forbidden,,,,,false\n",
    )
    .unwrap();
    for (holder, other, expected) in [
        ("H49", "H49", true),
        ("H49", "H49.1", true),
        ("H49", "H49.1.7", true),
        ("H49", "H49.2", true),
        ("H49", "H49.2.1", false),
        ("H49.2", "H49.2.1", false),
        ("H49.2.1", "H49.2.1", true),
        ("H49.1", "H49.1.7", false),
        ("H49.1", "H49", false),
        ("H49", "H50", false),
        ("H50", "H50.1", false),
        ("H51", "H51.1", false),
        ("H52", "H52", true),
        ("H52", "H52.1", false),
    ] {
        assert_eq!(
            directory.acts_for(&id(holder), &id(other), date!(2025 - 12 - 01)),
            expected,
            "{holder} for {other}"
        );
    }
}

#[test]
fn rows_may_be_written_in_many_ways() {
    let text = "\u{feff}# made by hand\r\nname , organ_id,successors,open_date,close_date,acts_for_below,legal_basis\r\n\
                # a comment\r\n\
                \"Sở Y tế, cũ\" , 000.00.12.H57 , H57.13 ; H57.14,2020-01-01, 2025-07-01,,NQ 1\r\n\
                Ủy ban A,H57.13,,,,,\r\n\r\nB,H57.14,,,,true,NQ 1\r\n";
    let directory = Directory::from_csv_texts(&[("t.csv", text)]).unwrap();
    let organ = directory.get(&id("H57.12")).unwrap();
    assert_eq!(&*organ.name, "Sở Y tế, cũ");
    assert_eq!(*organ.successors, [id("H57.13"), id("H57.14")]);
    assert_eq!(
        (organ.open_date, organ.close_date),
        (Some(date!(2020 - 01 - 01)), Some(date!(2025 - 07 - 01)))
    );
    assert_eq!(organ.acts_for_below, None);
    let other = directory.get(&id("H57.14")).unwrap();
    assert!(std::sync::Arc::ptr_eq(&organ.legal_basis, &other.legal_basis), "equal texts are held once");
    assert_eq!(&*directory.get(&id("H57.13")).unwrap().name, "Ủy ban A", "NFC");
}

#[test]
fn load_errors_say_where_and_why() {
    let long = "ư".repeat(201);
    let many: String = (0..17).map(|n| format!("H01.{n};")).collect();
    let why_of = |rows: &str| {
        let err = of_rows(rows).unwrap_err();
        assert_eq!(err.file, "t.csv");
        assert!(!err.hint().is_empty());
        (err.line, err.field, err.why)
    };
    for (rows, line, field, why) in [
        ("Z01,a,,,,,\n", 2, "organ_id", Why::BadOrganId(ParseOrganIdError::NoLevelOne)),
        (",a,,,,,\n", 2, "organ_id", Why::BadOrganId(ParseOrganIdError::Missing)),
        (
            "# here\nH01,a,,,,,\n\nH02,a,,,,,\n000.00.00.H01,b,,,,,\n",
            6,
            "organ_id",
            Why::DuplicateOrgan { id: id("H01"), file: "t.csv".into(), line: 3 },
        ),
        ("H01,a,,,,,\n# c\n\nH02,,,,,,\n", 5, "name", Why::EmptyName),
        ("H01, ,,,,,\n", 2, "name", Why::EmptyName),
        (&format!("H01,{long},,,,,\n"), 2, "name", Why::NameTooLong(201)),
        ("H01,a,01/07/2025,,,,\n", 2, "open_date", Why::BadDate("01/07/2025".into())),
        ("H01,a,,2025-02-30,,,\n", 2, "close_date", Why::BadDate("2025-02-30".into())),
        ("H01,a,2025-07-01,2025-07-01,,,\n", 2, "close_date", Why::CloseNotAfterOpen),
        ("H01,a,2025-07-01,2024-07-01,,,\n", 2, "close_date", Why::CloseNotAfterOpen),
        ("H01,a,,,H02,,\nH02,b,,,,,\n", 2, "successors", Why::SuccessorsWithoutClose),
        ("H01,a,,2025-07-01,H02,,\n", 2, "successors", Why::UnknownSuccessor(id("H02"))),
        ("H01,a,,2025-07-01,H02;;H03,,\n", 2, "successors", Why::BadOrganId(ParseOrganIdError::Missing)),
        ("H01,a,,2025-07-01,H02;H02,,\nH02,b,,,,,\n", 2, "successors", Why::RepeatedSuccessor(id("H02"))),
        (
            &format!("H01,a,,2025-07-01,{},,\n", many.trim_end_matches(';')),
            2,
            "successors",
            Why::TooManySuccessors(17),
        ),
        ("H01,a,,2025-07-01,H01,,\n", 2, "successors", Why::SuccessorCycle(vec![id("H01"), id("H01")])),
        (
            "H04,z,,2025-07-01,H03,,\nH01,a,,2025-07-01,H02,,\nH02,b,,2025-07-01,H05;H03,,\nH03,c,,2025-07-01,H02,,\nH05,e,,,,,\n",
            4,
            "successors",
            Why::SuccessorCycle(vec![id("H02"), id("H03"), id("H02")]),
        ),
        ("H01,a,,,,,yes\n", 2, "acts_for_below", Why::BadFlag("yes".into())),
        ("H01,a,,\n", 2, "", Why::FieldCount { expected: 7, found: 4 }),
        ("H01,a, b,,,,,\n", 2, "", Why::FieldCount { expected: 7, found: 8 }),
    ] {
        assert_eq!(why_of(rows), (line, field.to_owned(), why), "{rows}");
    }
}

#[test]
fn header_errors_name_the_column() {
    for (header, line, field, why) in [
        (
            "organ_id,name,open_date,close_date,successors,legal_basis\n",
            1,
            "acts_for_below",
            Why::MissingColumn,
        ),
        ("", 1, "organ_id", Why::MissingColumn),
        (&HEADER.replace("name", "ten"), 1, "ten", Why::UnknownColumn),
        (&HEADER.replace("name", "name,note"), 1, "note", Why::UnknownColumn),
        (&format!("# c\n{}", HEADER.replace("name", "name,name")), 2, "name", Why::RepeatedColumn),
    ] {
        let err = Directory::from_csv_texts(&[("t.csv", header)]).unwrap_err();
        assert_eq!((err.line, &*err.field, err.why), (line, field, why), "{header}");
    }
    let err = of_rows("H01,a,,,H02,,\n").unwrap_err();
    assert_eq!(
        err.to_string(),
        "t.csv, line 2, successors: successors, but no close_date - add the day the organ closes, or remove the successors"
    );
}

#[test]
fn the_column_of_the_link_may_be_missing_or_empty() {
    let text = format!(
        "{},link\nH01,a,,,,,,\nH02,b,,,,,,grpc\nH03,c,,,,,,amqp\nH04,d,,,,,,amqp-json\n",
        HEADER.trim()
    );
    let other = format!("{HEADER}H05,e,,,,,\n");
    let directory = Directory::from_csv_texts(&[("t.csv", &text), ("u.csv", &other)]).unwrap();
    let link = |of: &str| directory.get(&id(of)).unwrap().link;
    assert_eq!([link("H01"), link("H02"), link("H05")], [Link::Grpc; 3]);
    assert_eq!((link("H03"), link("H04")), (Link::Amqp, Link::AmqpJson));
    let attached: Vec<_> = directory.attached_by_amqp().map(|organ| organ.id.clone()).collect();
    assert_eq!(attached, [id("H03"), id("H04")]);
    let err = Directory::from_csv_texts(&[("t.csv", &text.replace("amqp-json", "stomp"))]).unwrap_err();
    assert_eq!((err.line, &*err.field, err.why), (5, "link", Why::BadLink("stomp".into())));
}

#[test]
fn files_make_one_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("a.csv"), format!("{HEADER}H01,a,,2025-07-01,H02,,\n")).unwrap();
    std::fs::write(path("b.csv"), format!("{HEADER}H02,b,,,,,\n")).unwrap();
    let directory = Directory::from_csv_files(&[path("a.csv"), path("b.csv")]).unwrap();
    assert_eq!(directory.len(), 2);

    let again = Directory::from_csv_files(&[path("a.csv"), path("b.csv"), path("b.csv")]).unwrap_err();
    assert!(matches!(again.why, Why::DuplicateOrgan { line: 2, .. }), "{again}");

    let missing = Directory::from_csv_files(&[path("no.csv")]).unwrap_err();
    assert_eq!((missing.line, missing.why), (0, Why::Unreadable(std::io::ErrorKind::NotFound)));

    std::fs::write(path("c.csv"), [HEADER.as_bytes(), b"H03,T\xe1,,,,,\n"].concat()).unwrap();
    let not_utf8 = Directory::from_csv_files(&[path("c.csv")]).unwrap_err();
    assert_eq!((not_utf8.line, not_utf8.why), (2, Why::NotUtf8));

    let none = Directory::from_csv_files(&[] as &[&Path]).unwrap();
    assert!(none.is_empty() && none.near("H49").is_empty());
}
