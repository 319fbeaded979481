//! A part of the country as it was on the eve of the reform, and the reform as a file of changes: from the tables that are shipped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::site::{DIRECTORY_COLUMNS, Site};

/// The day of the reform.
pub const DAY: &str = "2025-07-01";

/// An organ that closes.
#[derive(Clone, Debug)]
pub struct Closing {
    pub organ: String,
    pub successors: Vec<String>,
    pub handler: String,
    pub legal_basis: String,
}

impl Closing {
    /// Where its mail goes, if it goes anywhere.
    pub fn destination(&self, rule: &str) -> Option<&str> {
        match (self.successors.as_slice(), rule) {
            ([only], _) => Some(only),
            (_, "handler") => Some(&self.handler),
            _ => None,
        }
    }
}

/// All organs of one shipped file, as rows by column name.
fn shipped(name: &str) -> Vec<BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/directory").join(name);
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        header.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// All closed provinces, `divided` communes that were divided, and others up to `count`.
pub fn closings(count: usize, divided: usize) -> Vec<Closing> {
    let closing = |row: BTreeMap<String, String>| Closing {
        organ: row["organ_id"].clone(),
        successors: row["successors"].split(';').map(str::to_owned).collect(),
        handler: row.get("default_successor").cloned().unwrap_or_default(),
        legal_basis: row["legal_basis"].clone(),
    };
    let closed = |row: &BTreeMap<String, String>| !row["close_date"].is_empty();
    let mut closings: Vec<_> = shipped("provinces.csv").into_iter().filter(closed).map(closing).collect();
    let communes = shipped("communes.csv").into_iter().filter(closed).map(closing);
    let (several, one): (Vec<_>, Vec<_>) = communes.partition(|closing| closing.successors.len() > 1);
    closings.extend(several.into_iter().take(divided));
    let rest = count - closings.len();
    let step = one.len() / rest;
    closings.extend(one.into_iter().step_by(step).take(rest));
    closings
}

/// Gives a site these organs, open, and those that are to take over.
pub fn eve(site: &mut Site, closings: &[Closing]) {
    let mut organs: BTreeSet<&str> = BTreeSet::from(["G22"]);
    organs.extend(closings.iter().map(|closing| closing.organ.as_str()));
    organs.extend(closings.iter().flat_map(|closing| &closing.successors).map(String::as_str));
    let rows: String = organs.iter().map(|id| format!("{id},Cơ quan {id},,,,,\n")).collect();
    let file = site.path("organs.csv");
    std::fs::write(&file, format!("{DIRECTORY_COLUMNS}\n{rows}")).unwrap();
    site.set(format!("directory.files = [{file:?}]"));
    site.set(format!("directory.changes = {:?}", site.path("changes.csv")));
    site.set(format!("directory.audit = {:?}", site.path("audit.jsonl")));
}

/// Writes the file of changes.
pub fn reform(site: &Site, closings: &[Closing]) -> PathBuf {
    let mut text = format!("title = \"Sắp xếp đơn vị hành chính năm 2025\"\non = {DAY}\n");
    for Closing { organ, successors, handler, legal_basis } in closings {
        let change = match successors.as_slice() {
            [only] => format!("do = \"merge\"\norgans = [\"{organ}\"]\ninto = \"{only}\"\n"),
            _ => format!(
                "do = \"split\"\norgan = \"{organ}\"\ninto = {successors:?}\nhandler = \"{handler}\"\n"
            ),
        };
        text += &format!("[[change]]\n{change}legal_basis = \"{legal_basis}\"\n");
    }
    let file = site.path("reform.toml");
    std::fs::write(&file, text).unwrap();
    file
}
