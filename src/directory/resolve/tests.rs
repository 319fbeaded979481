use proptest::prelude::*;
use time::macros::date;

use super::super::tests::{id, of_rows};
use super::*;
use crate::directory::{Error, Why};

const EVE: Date = date!(2025 - 06 - 30);
const MERGER: Date = date!(2025 - 07 - 01);

#[test]
fn every_old_province_resolves_to_who_bears_its_name_or_took_over() {
    let successors = [
        ("H02", "H05"),
        ("H03", "H55"),
        ("H04", "H12"),
        ("H06", "H29"),
        ("H07", "H61"),
        ("H08", "H21"),
        ("H09", "H29"),
        ("H10", "H19"),
        ("H11", "H36"),
        ("H16", "H36"),
        ("H22", "H60"),
        ("H23", "H24"),
        ("H25", "H42"),
        ("H28", "H44"),
        ("H30", "H13"),
        ("H33", "H01"),
        ("H34", "H48"),
        ("H39", "H53"),
        ("H40", "H42"),
        ("H43", "H32"),
        ("H45", "H15"),
        ("H46", "H50"),
        ("H47", "H17"),
        ("H51", "H13"),
        ("H54", "H31"),
        ("H58", "H20"),
        ("H59", "H61"),
        ("H62", "H44"),
        ("H63", "H38"),
    ];
    let directory = Directory::embedded();
    let mut open = 0;
    for number in 1..=63 {
        let old = id(&format!("H{number:02}"));
        assert!(matches!(directory.resolve(&old, EVE), Resolution::Open(organ) if organ.id == old));
        match directory.resolve(&old, MERGER) {
            Resolution::Open(organ) => {
                assert_eq!(organ.id, old);
                open += 1;
            }
            Resolution::Redirected { organ, path, legal_basis } => {
                assert!(successors.contains(&(old.as_str(), organ.id.as_str())), "{old} -> {}", organ.id);
                assert_eq!((path, legal_basis), (vec![old], "QĐ 09/2025/QĐ-TTg"));
            }
            other => panic!("{old}: {other:?}"),
        }
    }
    assert_eq!((open, successors.len()), (34, 29));
}

#[test]
fn each_kind_of_answer() {
    let directory = of_rows(
        "H01,open,,,,,\nH02,a,,2020-01-01,H03,first,\nH03,b,2020-01-01,2025-07-01,H01,second,\n\
         H04,split,,2025-07-01,H05;H01,split,\nH05,c,,,,,\nH06,gone,,2025-07-01,,gone,\n\
         H07,half gone,,2025-07-01,H01;H06,half,\nH08,both ways to one,,2025-07-01,H02;H03,both,\n\
         H09,not yet,2026-01-01,2027-01-01,H01,later,\nH10,to not yet,,2025-07-01,H09,early,\n",
    )
    .unwrap();
    let answer = |asked: &str, day: Date| match directory.resolve(&id(asked), day) {
        Resolution::Open(organ) => format!("open {}", organ.id),
        Resolution::Redirected { organ, path, legal_basis } => {
            format!("{path:?} to {} by {legal_basis}", organ.id)
        }
        Resolution::Ambiguous { candidates, legal_basis, .. } => {
            let ids: Vec<_> = candidates.iter().map(|organ| &organ.id).collect();
            format!("one of {ids:?} by {legal_basis}")
        }
        Resolution::Closed { legal_basis } => format!("closed by {legal_basis}"),
        Resolution::Unknown { .. } => "unknown".into(),
    };
    for (asked, day, expected) in [
        ("H01", MERGER, "open H01"),
        ("H02", EVE, "[H02] to H03 by first"),
        ("H02", MERGER, "[H02, H03] to H01 by first"),
        ("H04", EVE, "open H04"),
        ("H04", MERGER, "one of [H01, H05] by split"),
        ("H06", MERGER, "closed by gone"),
        ("H07", MERGER, "one of [H01] by half"),
        ("H08", MERGER, "[H08, H02, H03] to H01 by both"),
        ("H09", MERGER, "closed by later"),
        ("H10", MERGER, "closed by early"),
        ("H10", date!(2026 - 06 - 01), "[H10] to H09 by early"),
        ("H10", date!(2027 - 06 - 01), "[H10, H09] to H01 by early"),
        ("H11", MERGER, "unknown"),
    ] {
        assert_eq!(answer(asked, day), expected, "{asked} on {day}");
    }
}

#[test]
fn every_old_commune_resolves_to_who_took_over_or_to_all_of_them() {
    let shipped = ["central.csv", "provinces.csv", "communes.csv"]
        .map(|name| format!("{}/config/directory/{name}", env!("CARGO_MANIFEST_DIR")));
    let started = std::time::Instant::now();
    let directory = Directory::from_csv_files(&shipped).unwrap();
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(directory.len(), 85 + 10_035 + 3_321);
    let old = |organ: &&Organ| organ.id.above().count() == 2;
    let (mut one, mut several) = (0, 0);
    for organ in directory.organs().iter().filter(old) {
        assert!(matches!(directory.resolve(&organ.id, EVE), Resolution::Open(_)), "{}", organ.id);
        let resolution = directory.resolve(&organ.id, MERGER);
        let handler = resolution.destination(Ambiguity::Handler).expect("each has a handler");
        assert!(handler.is_open_on(MERGER) && organ.successors.contains(&handler.id), "{}", organ.id);
        match resolution {
            Resolution::Redirected { legal_basis, .. } => {
                assert!(!legal_basis.is_empty());
                one += 1;
            }
            Resolution::Ambiguous { candidates, .. } => {
                assert!(candidates.len() > 1 && candidates.len() == organ.successors.len());
                several += 1;
            }
            other => panic!("{}: {other:?}", organ.id),
        }
    }
    assert_eq!((one, several), (9_564, 471));
    let new = directory.organs().iter().filter(|organ| organ.id.above().count() == 1);
    assert_eq!(new.filter(|organ| organ.is_open_on(MERGER) && !organ.is_open_on(EVE)).count(), 3_321);
}

#[test]
fn a_named_handler_is_followed_to_an_open_organ() {
    let header =
        "organ_id,name,open_date,close_date,successors,legal_basis,acts_for_below,default_successor\n";
    let text = format!(
        "{header}H01,a,,2025-07-01,H02;H03,law,,H02\nH02,b,,2025-07-01,H04,,,\nH03,c,,,,,,\nH04,d,,,,,,\n\
         H05,e,,2025-07-01,H01;H06,,,H01\nH06,f,,,,,,\nH07,g,,2025-07-01,H03;H04,,,\nH08,h,,2025-07-01,H07;H06,,,H07\n"
    );
    let directory = Directory::from_csv_texts(&[("t.csv", &text)]).unwrap();
    for (asked, refuse, handler) in [
        ("H01", None, Some("H04")),
        ("H05", None, Some("H04")),
        ("H07", None, None),
        ("H08", None, None),
        ("H02", Some("H04"), Some("H04")),
    ] {
        let resolution = directory.resolve(&id(asked), MERGER);
        let to = |rule| resolution.destination(rule).map(|organ| organ.id.to_string());
        let found = (to(Ambiguity::Refuse), to(Ambiguity::Handler));
        assert_eq!((found.0.as_deref(), found.1.as_deref()), (refuse, handler), "{asked}");
    }
}

/// One organ of a random directory: from day, to day, successors by number. Days are of 2025, 0 is none.
type Drawn = (u8, u8, Vec<usize>);

fn drawn_organs() -> impl Strategy<Value = Vec<Drawn>> {
    (1..25_usize).prop_flat_map(|count| {
        let organ = (0..5_u8, 0..9_u8, proptest::collection::vec(0..count, 0..4));
        proptest::collection::vec(organ, count)
    })
}

/// The rows of a random directory; successors only go to higher numbers unless `cycles`.
fn rows_of(drawn: &[Drawn], cycles: bool) -> (String, Vec<Vec<usize>>) {
    let mut rows = String::new();
    let mut edges = Vec::new();
    for (number, (open, close, successors)) in drawn.iter().enumerate() {
        let close = if *close == 0 { 0 } else { open + close };
        let mut successors: Vec<usize> =
            successors.iter().copied().filter(|s| cycles || *s > number).collect();
        successors.sort_unstable();
        successors.dedup();
        if close == 0 {
            successors.clear();
        }
        let day = |day: u8| if day == 0 { String::new() } else { format!("2025-01-{day:02}") };
        let ids: Vec<String> = successors.iter().map(|s| format!("K{s:02}")).collect();
        rows += &format!(
            "K{number:02},organ {number},{},{},{},law {number},\n",
            day(*open),
            day(close),
            ids.join(";")
        );
        edges.push(successors);
    }
    (rows, edges)
}

/// Whether organs can be taken away one by one, each when no other one left leads to it.
fn has_cycle(edges: &[Vec<usize>]) -> bool {
    let mut left: HashSet<usize> = (0..edges.len()).collect();
    loop {
        let free: Vec<usize> =
            left.iter().copied().filter(|at| !left.iter().any(|other| edges[*other].contains(at))).collect();
        if free.is_empty() {
            return !left.is_empty();
        }
        left.retain(|at| !free.contains(at));
    }
}

proptest! {
    #[test]
    fn a_document_ends_at_an_open_organ_or_it_is_said_why_not(drawn in drawn_organs(), day in 1..20_u8) {
        let (rows, _) = rows_of(&drawn, false);
        let directory = of_rows(&rows).unwrap();
        let day = Date::from_calendar_date(2025, time::Month::January, day).unwrap();
        for number in 0..drawn.len() {
            let asked = id(&format!("K{number:02}"));
            match directory.resolve(&asked, day) {
                Resolution::Open(organ) => prop_assert!(organ.id == asked && organ.is_open_on(day)),
                Resolution::Redirected { organ, path, .. } => {
                    prop_assert!(organ.is_open_on(day));
                    prop_assert_eq!(&path[0], &asked);
                    for (at, next) in path.iter().zip(path[1..].iter().chain([&organ.id])) {
                        let passed = directory.get(at).unwrap();
                        prop_assert!(passed.is_closed_on(day) && passed.successors.contains(next));
                    }
                }
                Resolution::Ambiguous { candidates, .. } => {
                    prop_assert!(!candidates.is_empty() && candidates.iter().all(|organ| organ.is_open_on(day)));
                    prop_assert!(candidates.is_sorted_by(|a, b| a.id < b.id));
                }
                Resolution::Closed { .. } => {
                    let organ = directory.get(&asked).unwrap();
                    prop_assert!(!organ.is_open_on(day));
                    for successor in organ.successors_on(day) {
                        let closed = matches!(directory.resolve(successor, day), Resolution::Closed { .. });
                        prop_assert!(closed, "{} is closed, its successor {} is not", asked, successor);
                    }
                }
                Resolution::Unknown { .. } => prop_assert!(false, "{} is known", asked),
            }
        }
    }

    #[test]
    fn a_circle_of_successors_is_never_loaded(drawn in drawn_organs()) {
        let (rows, edges) = rows_of(&drawn, true);
        match of_rows(&rows) {
            Ok(_) => prop_assert!(!has_cycle(&edges)),
            Err(Error { why: Why::SuccessorCycle(ids), .. }) => {
                prop_assert!(has_cycle(&edges));
                prop_assert!(ids.len() >= 2 && ids.first() == ids.last());
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
    }
}
