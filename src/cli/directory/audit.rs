//! The audit file of the directory: who changed what when, one JSON object a line, only ever appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::config;
use crate::domain::message::Hash;
use crate::domain::time::{Clock, SystemClock};

/// One application of a reform.
pub struct Entry<'a> {
    /// The file, as it was named.
    pub file: &'a str,
    /// What it is called.
    pub title: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The file of changes afterwards.
    pub changes: &'a str,
    /// What it does, change by change.
    pub effects: Vec<Value>,
}

impl Entry<'_> {
    /// Appends it. `step` is `applying` before the file of changes is replaced and `applied` after: without the second, the
    /// hash of the file says whether it was.
    pub fn append(&self, path: &Path, step: &str) -> io::Result<()> {
        let mut line = json!({
            "time_micros": SystemClock.now().as_micros(),
            "step": step,
            "who": who(),
            "file": self.file,
            "title": self.title,
            "file_sha256": Hash::of(self.bytes).to_string(),
            "changes_sha256": Hash::of(self.changes.as_bytes()).to_string(),
        });
        if step == APPLYING {
            line["changes"] = Value::Array(self.effects.clone());
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)?;
        }
        let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    }
}

/// It is about to be applied.
pub const APPLYING: &str = "applying";
/// It was applied.
pub const APPLIED: &str = "applied";

/// The user, by number, and by the names the environment gives: behind `sudo` there are two.
fn who() -> Value {
    let named = |name: &str| config::environment().find(|(known, _)| known == name).map(|(_, value)| value);
    json!({
        "uid": rustix::process::getuid().as_raw(),
        "user": named("LOGNAME").or_else(|| named("USER")),
        "sudo_user": named("SUDO_USER"),
    })
}
