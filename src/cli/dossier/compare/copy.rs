//! The file that is compared: where each step stands in it, and what is added to it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::entries::Entries;
use crate::cli::dossier::texts;
use crate::cli::exit::Exit;
use crate::cli::files;
use crate::cli::words::Lang;
use crate::client::Steps;
use crate::domain::dossier::{Digests, DossierCode, DossierDigest, Fingerprint};
use crate::portal::{self, Reading};
use crate::proto::{dossier, v1};

/// Largest file that is read at once: one that does not have one entry a line.
const WHOLE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A step of the file.
struct Known {
    number: u32,
    fingerprint: Fingerprint,
    /// Where it stands: the byte its line begins with, or its place among the entries.
    at: u64,
}

/// How the entries stand in the file.
enum Layout {
    /// One a line.
    Lines,
    /// One after another, or in a list; kept here.
    Whole(Vec<v1::DossierStep>),
}

/// What a file has of some dossiers.
pub struct Copy {
    path: PathBuf,
    lang: Lang,
    reading: Reading,
    entries: Option<Entries>,
    layout: Layout,
    dossiers: HashMap<Box<str>, Vec<Known>>,
    left_out: u64,
}

impl Copy {
    /// Reads a file; dossiers that are not wanted are left out.
    pub fn read(
        path: &Path,
        reading: Reading,
        lang: Lang,
        wanted: impl Fn(&DossierCode) -> bool,
    ) -> Result<Self, Exit> {
        let mut copy = Self {
            path: path.to_owned(),
            lang,
            reading,
            entries: None,
            layout: Layout::Lines,
            dossiers: HashMap::new(),
            left_out: 0,
        };
        if !copy.read_lines(&wanted)? {
            copy.read_whole(&wanted)?;
        }
        Ok(copy)
    }

    /// How many dossiers it has.
    pub fn len(&self) -> usize {
        self.dossiers.len()
    }

    /// How many of its steps were left out.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The digests of all of them.
    pub fn digests(&self) -> Digests {
        let digest = |steps: &Vec<Known>| {
            let mut steps: Vec<_> = steps.iter().map(|step| (step.number, step.fingerprint)).collect();
            steps.sort_unstable_by_key(|(number, _)| *number);
            DossierDigest::of(steps)
        };
        Digests::of(self.dossiers.iter().map(|(code, steps)| (&**code, digest(steps))))
    }

    /// The steps of one of them.
    pub fn steps(&self, code: &str) -> Steps {
        let steps = self.dossiers.get(code).into_iter().flatten();
        steps.map(|step| (step.number, step.fingerprint)).collect()
    }

    /// A step, to be published.
    pub fn step(&mut self, code: &str, number: u32) -> Result<v1::DossierStep, Exit> {
        let steps = self.dossiers.get(code).into_iter().flatten();
        let known = steps.into_iter().find(|step| step.number == number);
        let at = known.map(|step| step.at).expect("steps are asked for that were found here");
        match &self.layout {
            Layout::Whole(steps) => Ok(steps[at as usize].clone()),
            Layout::Lines => {
                let mut line = String::new();
                let read = File::open(&self.path).and_then(|mut file| {
                    file.seek(SeekFrom::Start(at))?;
                    BufReader::new(file).read_line(&mut line)
                });
                read.map_err(|error| self.unreadable(error))?;
                let entries = self.entries.as_mut().expect("there is an entry");
                let step = entries.step(&line, self.lang).map_err(|why| wrong(&self.path, "", why))?;
                // One that has no number of its own was numbered when the file was read.
                Ok(v1::DossierStep { step: number, ..step })
            }
        }
    }

    /// Adds steps, in the form the file has, all or none.
    pub fn add(&self, events: &[v1::DossierEvent]) -> Result<(), Exit> {
        let written = events.iter().map(|event| match &self.entries {
            Some(Entries::Portal(_)) => portal::progress(event).to_string(),
            Some(Entries::Events) | None => texts::event(event).to_string(),
        });
        let failed = |error| Exit::Failed(format!("{}: {error}", self.path.display()));
        let (kept, before, between, after) = match self.layout {
            Layout::Lines => (u64::MAX, self.line_end().map_err(failed)?, "\n", "\n"),
            Layout::Whole(_) => self.list_end().map_err(failed)?,
        };
        let added = written.collect::<Vec<_>>().join(between);
        files::extend(&self.path, kept, format!("{before}{added}{after}").as_bytes()).map_err(failed)
    }

    /// What has to be added so that the last line has an end.
    fn line_end(&self) -> std::io::Result<&'static str> {
        let mut file = File::open(&self.path)?;
        let bytes = file.metadata()?.len();
        let mut last = [b'\n'];
        if bytes > 0 {
            file.seek(SeekFrom::Start(bytes - 1))?;
            file.read_exact(&mut last)?;
        }
        Ok(if last == *b"\n" { "" } else { "\n" })
    }

    /// Where entries are added: before the end of a list, else at the end.
    fn list_end(&self) -> std::io::Result<(u64, &'static str, &'static str, &'static str)> {
        let text = std::fs::read_to_string(&self.path)?;
        Ok(match text.trim_end().strip_suffix(']') {
            Some(list) => {
                let before = if list.trim_end().ends_with('[') { "\n" } else { ",\n" };
                (list.trim_end().len() as u64, before, ",\n", "\n]\n")
            }
            None => (u64::MAX, "\n", "\n", "\n"),
        })
    }

    /// Reads entries that stand one a line. Gives false for a file that is not so.
    fn read_lines(&mut self, wanted: &impl Fn(&DossierCode) -> bool) -> Result<bool, Exit> {
        let file = File::open(&self.path).map_err(|error| self.unreadable(error))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let (mut at, mut line, mut text) = (0_u64, 0_u64, String::new());
        loop {
            text.clear();
            let bytes = file.read_line(&mut text).map_err(|error| self.unreadable(error))?;
            if bytes == 0 {
                return Ok(true);
            }
            line += 1;
            if !text.trim().is_empty() {
                if self.entries.is_none() {
                    match serde_json::from_str::<Value>(&text) {
                        Ok(first @ Value::Object(_)) => self.begin(&first)?,
                        _ => return Ok(false),
                    }
                }
                let entries = self.entries.as_mut().expect("it was begun");
                let read = entries.step(&text, self.lang).and_then(|step| self.know(&step, at, wanted));
                read.map_err(|why| wrong(&self.path, &format!(":{line}"), why))?;
            }
            at += bytes as u64;
        }
    }

    fn read_whole(&mut self, wanted: &impl Fn(&DossierCode) -> bool) -> Result<(), Exit> {
        let mut text = String::new();
        let file = File::open(&self.path).map_err(|error| self.unreadable(error))?;
        let read = file.take(WHOLE_BYTES_MAX + 1).read_to_string(&mut text);
        if read.map_err(|error| self.unreadable(error))? as u64 > WHOLE_BYTES_MAX {
            let most = format!("larger than {WHOLE_BYTES_MAX} bytes; write one entry a line");
            return Err(wrong(&self.path, "", most));
        }
        let mut steps = Vec::new();
        for value in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            let entries = match value.map_err(|error| wrong(&self.path, "", error.to_string()))? {
                Value::Array(entries) => entries,
                one => vec![one],
            };
            for entry in entries {
                if self.entries.is_none() {
                    self.begin(&entry)?;
                }
                let reader = self.entries.as_mut().expect("it was begun");
                let step = reader.step_of(entry, self.lang).map_err(|why| wrong(&self.path, "", why))?;
                let known = self.know(&step, steps.len() as u64, wanted);
                known.map_err(|why| wrong(&self.path, "", why))?;
                steps.push(step);
            }
        }
        self.layout = Layout::Whole(steps);
        Ok(())
    }

    fn begin(&mut self, first: &Value) -> Result<(), Exit> {
        let entries = Entries::beginning_with(first, &self.reading);
        self.entries = Some(entries.map_err(|why| wrong(&self.path, "", why))?);
        Ok(())
    }

    fn know(
        &mut self,
        step: &v1::DossierStep,
        at: u64,
        wanted: &impl Fn(&DossierCode) -> bool,
    ) -> Result<(), String> {
        let content = dossier::content(step).map_err(|why| why.to_string())?;
        if !wanted(&content.dossier) {
            self.left_out += 1;
            return Ok(());
        }
        let (number, fingerprint) = (content.number, content.fingerprint());
        let steps = self.dossiers.entry(content.dossier.as_str().into()).or_default();
        match steps.iter().find(|known| known.number == number) {
            None => steps.push(Known { number, fingerprint, at }),
            // Written down twice, which `follow` may do after it was stopped.
            Some(known) if known.fingerprint == fingerprint => {}
            Some(_) => {
                return Err(format!(
                    "step {number} of dossier {} is there twice, with different contents",
                    content.dossier
                ));
            }
        }
        Ok(())
    }

    fn unreadable(&self, error: std::io::Error) -> Exit {
        wrong(&self.path, "", error.to_string())
    }
}

fn wrong(path: &Path, place: &str, why: String) -> Exit {
    Exit::usage(format_args!("{}{place}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn portal_entry(code: &str, status: u32) -> String {
        format!(
            r#"{{"MaHoSo":"{code}","MaTTHC":"1.004194","TrangThai":"{status}","ThoiDiemXuLy":"20260105083000"}}"#
        )
    }

    fn copy(text: &str) -> Result<(tempfile::TempDir, Copy), Exit> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("steps.json");
        std::fs::write(&path, text).unwrap();
        let wanted = |code: &DossierCode| code.owner().as_str() != "H50";
        let copy = Copy::read(&path, Reading::default(), Lang::En, wanted)?;
        Ok((dir, copy))
    }

    #[test]
    fn lines_lists_and_single_objects_are_read_and_added_to() {
        let (one, two) = (portal_entry("H49-260105-1", 2), portal_entry("H49-20260105-1", 4));
        let other = portal_entry("H50-260105-1", 2);
        for text in [
            format!("{one}\n{two}\n\n{other}"),
            format!("{one}\n{two}\n{other}\n"),
            format!("[{one},\n {two}, {other}\n]\n"),
            format!("{}\n{two} {other}", one.replace(',', ",\n")),
        ] {
            let (_dir, mut copy) = copy(&text).unwrap();
            assert_eq!((copy.len(), copy.left_out()), (1, 1), "{text}");
            assert_eq!(copy.steps("H49-20260105-1").len(), 2);
            let second = copy.step("H49-20260105-1", 2).unwrap();
            assert_eq!((second.step, second.status), (2, 4));
            let third = v1::DossierStep { step: 3, status: 9, ..second };
            copy.add(&[v1::DossierEvent { step: Some(third), ..Default::default() }]).unwrap();
            let again = Copy::read(&copy.path, Reading::default(), Lang::En, |_| true).unwrap();
            assert_eq!((again.len(), again.steps("H49-20260105-1").len()), (2, 3), "{text}");
        }
    }

    #[test]
    fn a_file_with_nothing_is_added_to() {
        for text in ["", "\n", "[]", "[\n]\n"] {
            let (_dir, copy) = copy(text).unwrap();
            assert_eq!(copy.len(), 0);
            let step = serde_json::from_str(&portal_entry("H49-260105-1", 2)).unwrap();
            let mut reader = portal::Reader::new(Reading::default());
            let event = v1::DossierEvent { step: Some(reader.step(&step).unwrap()), ..Default::default() };
            copy.add(&[event.clone(), event]).unwrap();
            let again = Copy::read(&copy.path, Reading::default(), Lang::En, |_| true).unwrap();
            assert_eq!(again.len(), 1, "{text}");
        }
    }

    #[test]
    fn what_contradicts_itself_or_is_no_step_is_told_with_its_line() {
        let numbered = |status| portal_entry("H49-260105-1", status).replace('{', r#"{"SoBuoc":1,"#);
        for (text, why) in [
            (format!("{}\n{}\n", numbered(2), numbered(4)), "steps.json:2: step 1 of dossier"),
            (format!("{}\nx\n", numbered(2)), "steps.json:2: "),
            (format!("{}\n", portal_entry("H49", 2)), "MaHoSo"),
            ("{\"type\":\"comparison\"}\n".to_owned(), "neither"),
            ("x".to_owned(), "steps.json: "),
        ] {
            let Err(Exit::Usage(told)) = copy(&text) else { panic!("{text} is refused") };
            assert!(told.contains(why), "{told}");
        }
        // The same entry twice is none too many.
        let (_dir, copy) = copy(&format!("{}\n{}\n", numbered(2), numbered(2))).unwrap();
        assert_eq!(copy.steps("H49-20260105-1").len(), 1);
    }
}
