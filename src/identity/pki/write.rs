//! Writing the CA's files: keys for the owner only, nothing overwritten unasked, nothing seen half written.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::Error;

/// What to do with files that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse, and write nothing.
    Keep,
    /// Replace them.
    Replace,
}

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secrecy {
    None,
    Owner,
}

/// A file to write.
pub(super) struct File {
    path: PathBuf,
    text: String,
    secrecy: Secrecy,
}

pub(super) fn file(path: PathBuf, text: String, secrecy: Secrecy) -> File {
    File { path, text, secrecy }
}

/// Writes files that belong together, in this order.
pub(super) fn all(files: &[File], existing: Existing) -> Result<(), Error> {
    if existing == Existing::Keep
        && let Some(there) = files.iter().find(|file| file.path.exists())
    {
        return Err(Error::Exists { path: there.path.clone() });
    }
    files.iter().try_for_each(|file| write(file, existing))
}

fn write(file: &File, existing: Existing) -> Result<(), Error> {
    let unwritable = |cause: io::Error| match cause.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path: file.path.clone() },
        _ => Error::Unwritable { path: file.path.clone(), cause },
    };
    match existing {
        Existing::Keep => create(&file.path, file).map_err(unwritable),
        Existing::Replace => {
            let mut name = file.path.clone().into_os_string();
            name.push(".new");
            let new = PathBuf::from(name);
            // One left by a writer that was killed would be in the way for ever.
            match fs::remove_file(&new) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(unwritable(e)),
                _ => {}
            }
            create(&new, file).and_then(|()| fs::rename(&new, &file.path)).map_err(unwritable)
        }
    }
}

fn create(path: &Path, file: &File) -> io::Result<()> {
    let mode = match file.secrecy {
        Secrecy::None => 0o644,
        Secrecy::Owner => 0o600,
    };
    let mut created = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    created.write_all(file.text.as_bytes())?;
    created.sync_all()
}
