//! What a process keeps for the time after it was killed: lines, each written at once. A line that was cut off is as if it had not been.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

/// A file of lines. It survives the death of the process, which is all that is tried here; so nothing is synced.
pub struct Journal(File);

impl Journal {
    /// Opens or makes it; gives its last line.
    pub fn open(path: &Path) -> (Self, Option<String>) {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).unwrap();
        (Self(file), text[..whole].lines().next_back().map(str::to_owned))
    }

    /// Adds a line.
    pub fn add(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// The lines of a journal; none where there is no file.
pub fn lines(path: &Path) -> String {
    let mut text = std::fs::read_to_string(path).unwrap_or_default();
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_was_never_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, last) = Journal::open(&path);
        assert_eq!(last, None);
        journal.add("1 one");
        journal.add("2 two");
        OpenOptions::new().append(true).open(&path).unwrap().write_all("3 thr".as_bytes()).unwrap();
        assert_eq!(lines(&path), "1 one\n2 two\n");
        let (mut journal, last) = Journal::open(&path);
        assert_eq!(last.as_deref(), Some("2 two"));
        journal.add("3 three");
        assert_eq!(lines(&path), "1 one\n2 two\n3 three\n");
    }
}
