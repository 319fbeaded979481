use time::macros::date;

use super::*;
use crate::directory::{Ambiguity, Forecast, Mail, Resolution};

fn id(text: &str) -> OrganId {
    OrganId::parse(text).unwrap()
}

fn none() -> &'static Path {
    Path::new("there is no such file.csv")
}

fn reform(text: &str) -> Reform {
    Reform::parse("r.toml", text).unwrap()
}

const FILES: [&str; 0] = [];

#[test]
fn every_kind_of_change_takes_effect_on_its_day() {
    let outcome = reform(
        r#"
        title = "thử"
        legal_basis = "NQ 1"
        on = 2030-01-01
        [[change]]
        do = "open"
        organ = "H49.1"
        name = "Sở A"
        link = "amqp"
        [[change]]
        do = "rename"
        organ = "H49"
        name = "Tên mới"
        on = "2030-03-01"
        legal_basis = "NQ 2"
        [[change]]
        do = "move"
        organ = "H61"
        to = "H49.2"
        [[change]]
        do = "merge"
        organs = ["H01", "H05"]
        into = "H49"
        [[change]]
        do = "split"
        organ = "H12"
        into = ["H49", "H55"]
        handler = "H55"
        [[change]]
        do = "close"
        organ = "H13"
        [[change]]
        do = "successor"
        organ = "H02"
        into = ["H49", "H55"]
        handler = "H49"
        [[change]]
        do = "rebind"
        organ = "H49"
        certificate_of = "H05"
        until = 2030-06-01
        "#,
    )
    .apply(&FILES, none())
    .unwrap();
    let kinds: Vec<_> = outcome.effects.iter().map(|effect| (effect.change, effect.organ.as_str())).collect();
    let expected = [
        (1, "H49.1"),
        (2, "H49"),
        (3, "H49.2"),
        (3, "H61"),
        (4, "H01"),
        (4, "H05"),
        (5, "H12"),
        (6, "H13"),
        (7, "H02"),
        (8, "H49"),
    ];
    assert_eq!(kinds, expected);
    let directory = outcome.directory;
    let (eve, day) = (date!(2029 - 12 - 31), date!(2030 - 01 - 01));
    let to = |organ: &str, day, rule| {
        directory.resolve(&id(organ), day).destination(rule).map(|organ| organ.id.to_string())
    };
    let refuse = Ambiguity::Refuse;
    for (organ, before, after) in [
        ("H49.1", None, Some("H49.1")),
        ("H61", Some("H61"), Some("H49.2")),
        ("H49.2", None, Some("H49.2")),
        ("H01", Some("H01"), Some("H49")),
        ("H05", Some("H05"), Some("H49")),
        ("H12", Some("H12"), None),
        ("H13", Some("H13"), None),
        ("H02", None, None),
        ("H30", Some("H13"), None),
    ] {
        let found = (to(organ, eve, refuse), to(organ, day, refuse));
        assert_eq!((found.0.as_deref(), found.1.as_deref()), (before, after), "{organ}");
    }
    assert_eq!(to("H12", day, Ambiguity::Handler).as_deref(), Some("H55"));
    assert_eq!(to("H02", eve, Ambiguity::Handler).as_deref(), Some("H49"));
    let h49 = directory.get(&id("H49")).unwrap();
    assert_eq!((h49.name_on(date!(2030 - 02 - 28)), h49.name_on(date!(2030 - 03 - 01))).1, "Tên mới");
    assert!(!h49.name_on(day).contains("mới"));
    let acts = |day| directory.acts_for(&id("H05"), &id("H49"), day);
    assert_eq!(
        [eve, day, date!(2030 - 05 - 31), date!(2030 - 06 - 01)].map(acts),
        [false, true, true, false]
    );
}

#[test]
fn a_second_reform_stands_on_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let changes = folder.path().join("changes.csv");
    let first = "title = 'một'\n[[change]]\ndo = 'merge'\norgans = ['H01']\ninto = 'H49'\non = 2030-01-01\n";
    let outcome = reform(first).apply(&FILES, &changes).unwrap();
    std::fs::write(&changes, outcome.changes).unwrap();
    let again = reform(first).apply(&FILES, &changes).unwrap_err();
    assert!(matches!(again, Error::Change { change: 1, why: Why::AlreadyClosed(_), .. }), "{again}");
    let second = "title = 'hai'\n[[change]]\ndo = 'close'\norgan = 'H49'\non = 2031-01-01\n";
    let outcome = reform(second).apply(&FILES, &changes).unwrap();
    let on = |day| matches!(outcome.directory.resolve(&id("H01"), day), Resolution::Closed { .. });
    assert_eq!([date!(2030 - 06 - 01), date!(2031 - 01 - 01)].map(on), [false, true]);
    assert_eq!(outcome.changes.lines().count(), 3, "a header and two organs");
}

#[test]
fn what_is_wrong_is_said_by_the_change() {
    for (text, expected) in [
        (
            "[[change]]\ndo = 'close'\norgan = 'H64'\non = 2030-01-01",
            "change 1 (close): H64 is not in the directory",
        ),
        ("[[change]]\ndo = 'close'\norgan = 'H01'", "change 1 (close): `on` is missing"),
        ("[[change]]\ndo = 'close'\non = 2030-01-01", "change 1 (close): `organ` is missing"),
        ("[[change]]\ndo = 'close'\norgan = 'H01'\non = '1/1/2030'", "`1/1/2030` is not a day"),
        ("[[change]]\ndo = 'split'\norgan = 'H01'\ninto = 'H49'\non = 2030-01-01", "1 organs in `into`"),
        (
            "[[change]]\ndo = 'split'\norgan = 'H01'\ninto = ['H49', 'H55']\nhandler = 'H61'\non = 2030-01-01",
            "the handler H61 is none of `into`",
        ),
        (
            "[[change]]\ndo = 'open'\norgan = 'H01'\nname = 'a'\non = 2030-01-01",
            "H01 is in the directory already",
        ),
        (
            "[[change]]\ndo = 'merge'\norgans = ['H01']\ninto = 'H01'\non = 2030-01-01",
            "lead back to where they started",
        ),
        ("[[change]]\ndo = 'dance'", "unknown variant"),
        ("[[change]]\ndo = 'close'\nwhy = 'x'", "unknown field"),
        ("", "no change"),
    ] {
        let text = format!("title = 't'\n{text}\n");
        let error =
            Reform::parse("r.toml", &text).and_then(|reform| reform.apply(&FILES, none())).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_forecast_counts_what_moves_and_what_follows() {
    let outcome = reform(
        "title = 't'\n[[change]]\ndo = 'merge'\norgans = ['H01']\ninto = 'H49'\non = 2030-01-01\n\
         [[change]]\ndo = 'split'\norgan = 'H05'\ninto = ['H49', 'H55']\non = 2031-01-01\n",
    )
    .apply(&FILES, none())
    .unwrap();
    let mail = |organ: &str, waiting, dead, in_flight| Mail { organ: id(organ), waiting, dead, in_flight };
    let mail = [mail("H05", 5, 1, 2), mail("H01", 3, 2, 1), mail("H49", 9, 9, 9), mail("H02", 0, 0, 0)];
    let today = date!(2030 - 06 - 01);
    let found = outcome.directory.forecast(&mail, today, Ambiguity::Refuse);
    let of = |organ: &str, day, to: Option<&str>, candidates: &[&str], deliveries, in_flight| Forecast {
        organ: id(organ),
        day,
        to: to.map(id),
        candidates: candidates.iter().map(|text| id(text)).collect(),
        legal_basis: String::new(),
        deliveries,
        in_flight,
    };
    let expected = [
        of("H01", today, Some("H49"), &[], 5, 1),
        of("H05", date!(2031 - 01 - 01), None, &["H49", "H55"], 5, 2),
    ];
    assert_eq!(found, expected);
}
