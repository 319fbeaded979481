//! A profile: everything a caller has to know of a gateway and itself, in a folder that can be handed over.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::identity::client::ClientFiles;

/// The file of a profile's folder that names the others.
pub const PROFILE_FILE: &str = "profile.toml";

/// How a gateway is called, and as whom.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// `https://host:port`.
    pub endpoint: String,
    /// The CAs one of which must have issued the gateway's certificate.
    pub ca: PathBuf,
    /// The caller's certificate.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What goes into the folder of a profile.
#[derive(Clone, Copy, Debug)]
pub struct ProfileFiles<'a> {
    /// `https://host:port`.
    pub endpoint: &'a str,
    /// The CA's certificate.
    pub ca: &'a Path,
    /// The caller's certificate.
    pub cert: &'a Path,
    /// Its private key.
    pub key: &'a Path,
}

/// Why a profile could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A file cannot be read.
    #[error("{}: {cause}; `truc pki issue --profile` makes a profile", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// The file is not a profile.
    #[error("{}: not a profile: {reason}; it holds endpoint, ca, cert and key", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is there already.
    #[error("{} exists already; nothing of it was overwritten", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("{}: {cause}", .path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
}

impl Profile {
    /// Reads `profile.toml` of a folder; the paths in it start there.
    pub fn load(dir: &Path) -> Result<Self, ProfileError> {
        let path = dir.join(PROFILE_FILE);
        let text = fs::read_to_string(&path)
            .map_err(|cause| ProfileError::Unreadable { path: path.clone(), cause })?;
        let written: Self = toml::from_str(&text).map_err(|error| ProfileError::Malformed {
            path: path.clone(),
            reason: error.message().trim_end().to_owned(),
        })?;
        Ok(Self {
            endpoint: written.endpoint,
            ca: dir.join(written.ca),
            cert: dir.join(written.cert),
            key: dir.join(written.key),
        })
    }

    /// Makes a profile's folder with copies of everything it needs, so that it can be moved. Replaces what is there only
    /// when told to.
    pub fn save(dir: &Path, from: ProfileFiles<'_>, replace: bool) -> Result<Self, ProfileError> {
        let path = dir.join(PROFILE_FILE);
        if !replace && path.exists() {
            return Err(ProfileError::Exists { path });
        }
        fs::create_dir_all(dir)
            .map_err(|cause| ProfileError::Unwritable { path: dir.to_owned(), cause })?;
        let named = |path: &Path| PathBuf::from(path.file_name().unwrap_or_default());
        let profile = Self {
            endpoint: from.endpoint.to_owned(),
            ca: named(from.ca),
            cert: named(from.cert),
            key: named(from.key),
        };
        copy(from.ca, &dir.join(&profile.ca), 0o644)?;
        copy(from.cert, &dir.join(&profile.cert), 0o644)?;
        copy(from.key, &dir.join(&profile.key), 0o600)?;
        let text = toml::to_string(&profile)
            .map_err(|error| ProfileError::Malformed { path: path.clone(), reason: error.to_string() })?;
        write(&path, text.as_bytes(), 0o644)?;
        Self::load(dir)
    }

    /// Its certificates.
    pub fn files(&self) -> ClientFiles {
        ClientFiles { ca: self.ca.clone(), certificate: self.cert.clone(), key: self.key.clone() }
    }
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), ProfileError> {
    let bytes =
        fs::read(from).map_err(|cause| ProfileError::Unreadable { path: from.to_owned(), cause })?;
    write(to, &bytes, mode)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), ProfileError> {
    let unwritable = |cause| ProfileError::Unwritable { path: path.to_owned(), cause };
    // Made anew, because an open file keeps the mode it was made with.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unwritable(error)),
        _ => {}
    }
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(unwritable)?;
    file.write_all(bytes).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_profile_can_be_moved_and_keeps_its_key_to_itself() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["ca.crt", "H49.crt", "H49.key"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let at = |name: &str| dir.path().join(name);
        let (ca, cert, key) = (at("ca.crt"), at("H49.crt"), at("H49.key"));
        let from = ProfileFiles { endpoint: "https://gw:7443", ca: &ca, cert: &cert, key: &key };
        Profile::save(&at("made"), from, false).unwrap();
        assert!(matches!(Profile::save(&at("made"), from, false), Err(ProfileError::Exists { .. })));
        Profile::save(&at("made"), from, true).unwrap();
        fs::rename(at("made"), at("moved")).unwrap();
        let profile = Profile::load(&at("moved")).unwrap();
        assert_eq!(profile.endpoint, "https://gw:7443");
        assert_eq!(fs::read_to_string(&profile.cert).unwrap(), "H49.crt");
        assert_eq!(fs::metadata(&profile.key).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_profile_says_why() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Profile::load(dir.path()), Err(ProfileError::Unreadable { .. })));
        fs::write(dir.path().join(PROFILE_FILE), "endpoint = \"https://gw\"\nhost = \"gw\"\n").unwrap();
        let error = Profile::load(dir.path()).unwrap_err();
        assert!(error.to_string().contains("host"), "{error}");
    }
}
