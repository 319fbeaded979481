use std::fmt::Write;
use std::time::{Duration, Instant};

use super::super::tests::{HEADER, id, of_rows};
use super::*;
use crate::directory::Resolution;

fn near(directory: &Directory, text: &str) -> Vec<String> {
    let found = directory.near(text);
    assert!(found.len() <= NEAR_MAX);
    found.iter().map(|organ| organ.id.to_string()).collect()
}

#[test]
fn slips_in_a_level_one_code() {
    let directory = Directory::embedded();
    assert_eq!(near(&directory, "H94")[0], "H49", "swapped digits come first");
    assert_eq!(near(&directory, "K49"), ["H49"]);
    assert_eq!(near(&directory, "H49"), ["H49", "H09", "H19", "H29", "H39"], "itself first");
    assert_eq!(near(&directory, "H49.12"), ["H49"], "the organ above it");
    assert!(near(&directory, "C77").is_empty());
}

#[test]
fn slips_below_level_one() {
    let directory = of_rows(
        "H49,a,,,,,\nH49.12,b,,,,,\nH49.12.345,c,,,,,\nH49.12.354,d,,,,,\nH49.77,e,,,,,\nH94.12.345,f,,,,,\n\
         H49.12.900,g,,,,,\nG49.12.345,h,,,,,\nH49.345,i,,,,,\n",
    )
    .unwrap();
    for (asked, expected) in [
        // One letter wrong.
        ("H49.12.346", ["H49.12.345", "H49.12", "H49.12.354"].as_slice()),
        // Swapped letters.
        ("H49.21.345", &["H49.12.345", "H49.345", "H49.12.354"]),
        // Another level-1 code.
        ("H48.12.345", &["G49.12.345", "H49.12.345"][1..]),
        // A group left out: both the organ without and those with one more.
        ("H49.900", &["H49.12.900", "H49"]),
        // A group too many.
        ("H49.12.5.345", &["H49.12.345"]),
    ] {
        let found = near(&directory, asked);
        assert_eq!(found[..expected.len().min(found.len())], *expected, "{asked}: {found:?}");
    }
    let Resolution::Unknown { near } = directory.resolve(&id("H49.12.346"), time::Date::MAX) else {
        panic!("H49.12.346 is not in the directory")
    };
    assert_eq!(near[0].id, id("H49.12.345"));
}

#[test]
fn texts_that_are_no_organ_ids() {
    let directory = Directory::embedded();
    for (text, expected) in [
        ("H-49", "H49"),
        ("H 49", "H49"),
        ("49.H49.", "H49"),
        ("000.00.00.00.H49", "H49"),
        ("000/00/00/H49", "H49"),
        ("Z22", "G22"),
        ("UBND tỉnh Quảng Ninh (H49)", "H49"),
        ("Quảng Ninh", "H49"),
        ("quang ninh", "H49"),
        ("QUẢNG NIHN", "H49"),
        ("tỉnh Quảng-Ninh", "H49"),
        ("ubnd tinh bac giang", "H02"),
        ("Văn phòng Chính phủ", "G22"),
        ("van phong chinh phu", "G22"),
        ("TP Huế", "H57"),
        ("Đắk Lắk", "H15"),
        ("Bộ Y tế", "G18"),
        ("Bộ Văn hóa, Thể thao và Du lịch", "G16"),
    ] {
        assert_eq!(near(&directory, text).first().map(String::as_str), Some(expected), "{text}");
    }
    for text in ["", "null", "   ", "...", "🙂", "xyzzy", "\u{0}", "0000", "\u{301}\u{301}"] {
        assert!(near(&directory, text).is_empty(), "{text}: {:?}", near(&directory, text));
    }
    let long = "H49 ".repeat(100_000);
    assert!(near(&directory, &long).len() <= NEAR_MAX);
}

#[test]
fn one_group_more_is_a_whole_group() {
    for (longer, shorter, expected) in [
        ("H57.12.3", "H57.3", true),
        ("H57.12.3", "H57.12", true),
        ("H57.3.3", "H57.3", true),
        ("H57.12", "H57", true),
        ("H57.123", "H57.3", false),
        ("H57.12.3.4", "H57.12", false),
        ("H57.1.23", "H57.3", false),
        ("H57.12", "H57.12", false),
        ("H57", "H57.12", false),
    ] {
        assert_eq!(one_group_more(longer, shorter), expected, "{longer} {shorter}");
    }
}

#[test]
fn letters_apart_never_exceed_the_edit_distance() {
    let ids = ["H49.12.345", "H94.12.354", "H49", "G22.A1.BB.0007", "H49.12", "H49.112.345", "K01.9"];
    for a in ids {
        for b in ids {
            assert!(Letters::of(a).apart(b) <= strsim::osa_distance(a, b), "{a} {b}");
        }
    }
}

/// A directory as large as the axis': 111,000 organs, a part of them all under one level-1 code.
fn of_the_whole_country(below_one_code: usize) -> Directory {
    const COUNT: usize = 111_000;
    let words = ["An", "Bình", "Đông", "Hòa", "Lộc", "Phú", "Quảng", "Sơn", "Tân", "Thạnh", "Trung", "Vĩnh"];
    let mut text = HEADER.to_owned();
    for n in 0..COUNT {
        let code = if n < below_one_code { 49 } else { 1 + n % 63 };
        let kind = ["xã", "phường", "Sở Tài chính", "Trung tâm Phục vụ hành chính công"][n % 4];
        let name = [n / 4, n / 48, n / 576, n / 6_912].map(|part| words[part % words.len()]).join(" ");
        write!(text, "H{code:02}.{:02}.{n:06},Ủy ban nhân dân {kind} {name} {},,,,", 10 + n % 80, n / 1_000)
            .unwrap();
        text += "QĐ 20/2020/QĐ-TTg,\n";
    }
    Directory::from_csv_texts(&[("country.csv", &text)]).unwrap()
}

/// The shortest of several runs of a search over wrong ids.
fn shortest(runs: usize, mut search: impl FnMut(&str) -> usize) -> Duration {
    let asked: Vec<String> = (0..4).map(|n| format!("H49.{:02}.{:06}", 11 + n, 40_007 + n * 7_919)).collect();
    let run = |search: &mut dyn FnMut(&str) -> usize| {
        let start = Instant::now();
        let found: usize = asked.iter().map(|asked| search(asked)).sum();
        assert!(found <= NEAR_MAX * asked.len());
        start.elapsed()
    };
    (0..runs).map(|_| run(&mut search)).min().unwrap()
}

#[test]
fn a_wrong_id_costs_little_in_a_large_directory() {
    for below_one_code in [0, 111_000] {
        let directory = of_the_whole_country(below_one_code);
        assert_eq!(directory.len(), 111_000);
        let bounded = shortest(5, |asked| directory.near(asked).len());
        let scanning_all = shortest(2, |asked| {
            let apart = |organ: &Organ| strsim::osa_distance(asked, organ.id.as_str());
            directory.organs.iter().filter(|organ| apart(organ) == 0).count()
        });
        assert!(bounded * 4 < scanning_all, "{bounded:?} bounded, {scanning_all:?} scanning all");
    }
}

#[test]
fn the_right_organ_is_found_among_111_000() {
    let directory = of_the_whole_country(60_000);
    for n in [0_usize, 7, 30_001, 59_999, 60_003, 110_999] {
        let organ = &directory.organs[n];
        let right = organ.id.as_str();
        let slip = format!("{}X", &right[..right.len() - 1]);
        assert!(directory.near(&slip).contains(&organ), "{slip}");
        let (code, rest) = right.split_at(3);
        assert!(directory.near(&format!("K{}{rest}", &code[1..])).contains(&organ), "{right} under K");
        assert!(directory.near(&format!("{right}.9")).contains(&organ), "{right}.9");
        let name = organ.name.to_uppercase();
        let namesakes = directory.organs.iter().filter(|other| other.name == organ.name).count();
        assert!(namesakes > NEAR_MAX || directory.near(&name).contains(&organ), "{name}");
    }
}
