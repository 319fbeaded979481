//! Very many dossiers that a gateway and a file both have, but for 37.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::Value;
use truc::proto::v1::{self, DossierStatus};

/// How many dossiers differ.
pub const DIFFERENT: usize = 37;

/// How a dossier differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Odd {
    /// Only the file has it.
    NotThere,
    /// Only the gateway has it.
    NotHere,
    /// The gateway lacks its last step.
    ShortThere,
    /// The file lacks its last step.
    ShortHere,
    /// Each side lacks one.
    Both,
    /// One step has another content.
    Content,
}

const ODD: [(Odd, usize); 6] = [
    (Odd::NotThere, 10),
    (Odd::NotHere, 9),
    (Odd::ShortThere, 8),
    (Odd::ShortHere, 6),
    (Odd::Both, 3),
    (Odd::Content, 1),
];

/// The dossiers of one organ.
#[derive(Clone, Copy)]
pub struct Town {
    pub dossiers: usize,
}

/// What is expected of one dossier: steps the gateway lacks, steps the file lacks, steps that differ.
pub type Expected = BTreeMap<String, [Vec<u32>; 3]>;

impl Town {
    /// The normal form of a dossier's code; over a month.
    fn code(number: usize) -> String {
        format!("H49.12-202606{:02}-{number:07}", 1 + number % 28)
    }

    fn odd(self, number: usize) -> Option<Odd> {
        let between = self.dossiers / DIFFERENT;
        let place = number / between;
        if number % between != between / 2 || place >= DIFFERENT {
            return None;
        }
        let mut kinds = ODD.iter().flat_map(|(odd, count)| std::iter::repeat_n(*odd, *count));
        kinds.nth(place)
    }

    /// How many steps a dossier has: mostly one.
    fn steps(number: usize) -> u32 {
        if number.is_multiple_of(10) { 2 } else { 1 }
    }

    /// The numbers of the steps the gateway has, and the file.
    fn numbers(self, number: usize) -> (Vec<u32>, Vec<u32>) {
        let all = |last: u32| (1..=last).collect::<Vec<_>>();
        let steps = Self::steps(number);
        match self.odd(number) {
            None | Some(Odd::Content) => (all(steps), all(steps)),
            Some(Odd::NotThere) => (Vec::new(), all(steps)),
            Some(Odd::NotHere) => (all(steps), Vec::new()),
            Some(Odd::ShortThere) => (all(steps), all(steps + 1)),
            Some(Odd::ShortHere) => (all(steps + 1), all(steps)),
            Some(Odd::Both) => (vec![1, 2], vec![1, 3]),
        }
    }

    /// The steps of a dossier in the gateway.
    pub fn there(self, number: usize) -> impl Iterator<Item = v1::DossierStep> {
        self.numbers(number).0.into_iter().map(move |step| Self::step(number, step))
    }

    fn step(number: usize, step: u32) -> v1::DossierStep {
        let status = if step == 1 { DossierStatus::Accepted } else { DossierStatus::InProcess };
        v1::DossierStep {
            dossier_code: Self::code(number),
            step,
            procedure_code: "1.004194".to_owned(),
            status: status.into(),
            occurred_time: Some(prost_types::Timestamp {
                seconds: 1_780_300_000 + (number % 1_000_000) as i64,
                nanos: 123_000_000,
            }),
            note: format!("Hồ sơ thứ {number}"),
            ..Default::default()
        }
    }

    /// Writes the file, as `truc dossier follow --json` would have.
    pub fn write(self, path: &Path) {
        let mut file = BufWriter::new(File::create(path).unwrap());
        for number in 0..self.dossiers {
            for step in self.numbers(number).1 {
                writeln!(file, "{}", self.line(number, step)).unwrap();
            }
        }
        file.flush().unwrap();
    }

    fn line(self, number: usize, step: u32) -> String {
        let written = Self::step(number, step);
        let changed = if self.odd(number) == Some(Odd::Content) { " (sửa)" } else { "" };
        let at = time::OffsetDateTime::from_unix_timestamp(written.occurred_time.unwrap().seconds).unwrap();
        let (date, clock) = (at.date(), at.time());
        format!(
            r#"{{"type":"dossier_event","position":{},"dossier_code":"{code}","written_code":"{code}","owner":"H49.12","publisher":"H49","step":{step},"procedure_code":"1.004194","status":{status},"own_status":null,"actor":{{"name":"","position":"","department":""}},"occurred_time":"{date}T{:02}:{:02}:{:02}.123Z","due_time":null,"start_time":null,"note":"{note}{changed}","documents":[],"flags":[],"missing_from":0}}"#,
            number + 1,
            clock.hour(),
            clock.minute(),
            clock.second(),
            code = written.dossier_code,
            status = written.status,
            note = written.note,
        )
    }

    /// What a comparison has to find.
    pub fn expected(self) -> Expected {
        let lacks = |of: &[u32], what: &[u32]| {
            what.iter().filter(|number| !of.contains(number)).copied().collect::<Vec<_>>()
        };
        let odd = (0..self.dossiers).filter_map(|number| Some((number, self.odd(number)?)));
        odd.map(|(number, odd)| {
            let (there, here) = self.numbers(number);
            let content = if odd == Odd::Content { there.clone() } else { Vec::new() };
            (Self::code(number), [lacks(&there, &here), lacks(&here, &there), content])
        })
        .collect()
    }
}

/// What a comparison has found, from what it printed.
pub fn found(printed: &[Value]) -> Expected {
    let differences = printed.iter().filter(|object| object["type"] == "dossier_difference");
    let steps = |value: &Value| {
        value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as u32).collect::<Vec<_>>()
    };
    differences
        .map(|one| {
            let names = ["missing_in_gateway", "missing_in_file", "content_differs"];
            (one["dossier_code"].as_str().unwrap().to_owned(), names.map(|name| steps(&one[name])))
        })
        .collect()
}
