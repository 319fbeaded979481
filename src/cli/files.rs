//! Files that are there whole or not at all, and still there after a crash.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::exit::Exit;

/// Writes a file in place of what was there, if anything.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path);
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    settle(&file, &new, path)
}

/// Writes a file in place of what was there: its first bytes, and then these.
pub fn extend(path: &Path, kept_bytes: u64, bytes: &[u8]) -> io::Result<()> {
    let new = beside(path);
    let old = File::open(path)?;
    let mut file = File::create(&new)?;
    file.set_permissions(old.metadata()?.permissions())?;
    io::copy(&mut old.take(kept_bytes), &mut file)?;
    file.write_all(bytes)?;
    settle(&file, &new, path)
}

/// Puts a file that was written in the place of another.
fn settle(file: &File, new: &Path, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(new, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// A cursor that was kept in a file; none in one that is not there.
pub fn read_cursor(file: &Path) -> Result<String, Exit> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Exit::usage(format_args!("{}: {error}", file.display()))),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_half_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d1.pdf");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(replace(&dir.path().join("none/d1.pdf"), b"x").is_err());
        extend(&path, 2, b"elve").unwrap();
        extend(&path, 100, b"\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"twelve\n");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
