//! Where a sandbox lives: its CA, its agencies' profiles, its ledger and the document, in one folder.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::exit::Exit;
use crate::client::{Profile, ProfileFiles};
use crate::config::Config;
use crate::directory::Directory;
use crate::domain::organ_id::OrganId;
use crate::domain::time::{Clock, SystemClock};
use crate::identity::pki::{Ca, Existing, Issued, Subject, Validity};

/// The document a sandbox sends, an edXML file.
pub const DOCUMENT: &str = include_str!("../../../config/sandbox/document.edxml");

/// Who takes part: the sender, the recipient, and the successor of the closed recipient.
pub const ORGANS: [&str; 3] = ["G22", "H49", "H05"];
/// The person who may look at everything.
pub const OPERATOR: &str = "operator";

const CERTIFICATE_DAYS: u32 = 30;

/// A sandbox's folder.
pub struct Place {
    dir: PathBuf,
    // Removes the folder when it is dropped.
    temporary: Option<TempDir>,
    ca: Ca,
}

/// One who takes part, and how it calls.
#[derive(Clone, Debug)]
pub struct SampleAgency {
    /// Organ id, or the operator's name.
    pub name: String,
    /// The organ's name.
    pub title: String,
    /// The folder of its profile.
    pub dir: PathBuf,
    /// The profile.
    pub profile: Profile,
}

impl Place {
    /// Makes the folder, or finds the sandbox that was in it.
    pub fn make(data: Option<&Path>) -> Result<Self, Exit> {
        let (dir, temporary) = match data {
            Some(dir) => (dir.to_owned(), None),
            None => {
                let made =
                    tempfile::Builder::new().prefix("truc-sandbox-").tempdir().map_err(Exit::failed)?;
                (made.path().to_owned(), Some(made))
            }
        };
        fs::create_dir_all(&dir).map_err(|error| at(&dir, &error))?;
        let dir = dir.canonicalize().map_err(|error| at(&dir, &error))?;
        let pki = dir.join("pki");
        let ca = match pki.join("ca.crt").exists() {
            true => Ca::open(&pki).map_err(Exit::usage)?,
            false if is_empty(&dir).map_err(|error| at(&dir, &error))? => {
                Ca::create(&pki, SystemClock.now(), Existing::Keep).map_err(Exit::failed)?
            }
            false => {
                let dir = dir.display();
                return Err(Exit::usage(format_args!(
                    "{dir} is neither empty nor a sandbox's; choose another --data"
                )));
            }
        };
        Ok(Self { dir, temporary, ca })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether it goes away at the end.
    pub fn is_temporary(&self) -> bool {
        self.temporary.is_some()
    }

    /// The document's file, for commands that send it again.
    pub fn document(&self) -> PathBuf {
        self.dir.join("document.edxml")
    }

    /// Where an agency's documents are put.
    pub fn received(&self, agency: &str) -> PathBuf {
        self.dir.join("received").join(agency)
    }

    /// Puts everything in place that the gateway needs, and tells its configuration where it is.
    pub fn furnish(&self, config: &mut Config) -> Result<(), Exit> {
        let document = self.document();
        fs::write(&document, DOCUMENT).map_err(|error| at(&document, &error))?;
        let names =
            Subject::Server { dns: vec!["localhost".to_owned()], ips: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] };
        let server = self.issue(&names)?;
        config.tls.cert = server.certificate;
        config.tls.key = server.key;
        config.tls.client_ca = self.ca.certificate_path();
        config.tls.crls = vec![self.ca.crl_path()];
        config.ops.control = self.dir.join("truc.sock");
        config.ledger.path = self.dir.join("ledger").join("ledger.db");
        config.directory.files.clear();
        Ok(())
    }

    /// Gives every agency a certificate and a profile for the gateway at this address.
    pub fn agencies(&self, gateway: SocketAddr) -> Result<Vec<SampleAgency>, Exit> {
        let directory = Directory::embedded();
        let mut subjects = Vec::new();
        for id in ORGANS {
            let organ = OrganId::parse(id).map_err(Exit::failed)?;
            let title = directory.get(&organ).map(|organ| organ.name.to_string()).unwrap_or_default();
            subjects.push((id, title.clone(), Subject::Organ(organ, title)));
        }
        subjects.push((OPERATOR, String::new(), Subject::Operator(OPERATOR.to_owned())));
        let endpoint = format!("https://{gateway}");
        let ca = self.ca.certificate_path();
        let agency = |(name, title, subject): (&str, String, Subject)| {
            let Issued { certificate, key, .. } = self.issue(&subject)?;
            let dir = self.dir.join("profiles").join(name);
            let from = ProfileFiles { endpoint: &endpoint, ca: &ca, cert: &certificate, key: &key };
            let profile = Profile::save(&dir, from, true).map_err(Exit::failed)?;
            Ok(SampleAgency { name: name.to_owned(), title, dir, profile })
        };
        subjects.into_iter().map(agency).collect()
    }

    /// A sandbox that starts again has new certificates: the old ones may have expired.
    fn issue(&self, subject: &Subject) -> Result<Issued, Exit> {
        let validity = Validity::days(SystemClock.now(), CERTIFICATE_DAYS);
        self.ca.issue(subject, validity, Existing::Replace).map_err(Exit::failed)
    }
}

fn is_empty(dir: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(dir)?.next().is_none())
}

fn at(path: &Path, error: &io::Error) -> Exit {
    Exit::usage(format_args!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.odt"), "x").unwrap();
        assert!(matches!(Place::make(Some(dir.path())), Err(Exit::Usage(_))));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_sandbox_starts_again_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new");
        let first = Place::make(Some(&data)).unwrap();
        first.furnish(&mut Config::default()).unwrap();
        let ca = fs::read(data.join("pki/ca.crt")).unwrap();
        let again = Place::make(Some(&data)).unwrap();
        again.furnish(&mut Config::default()).unwrap();
        assert_eq!(fs::read(data.join("pki/ca.crt")).unwrap(), ca);
        let agencies = again.agencies(([127, 0, 0, 1], 7443).into()).unwrap();
        let names: Vec<_> = agencies.iter().map(|agency| agency.name.as_str()).collect();
        assert_eq!(names, ["G22", "H49", "H05", "operator"]);
        assert_eq!(agencies[0].title, "Văn phòng Chính phủ");
        assert_eq!(agencies[1].profile.endpoint, "https://127.0.0.1:7443");
    }

    #[test]
    fn the_document_is_what_the_sandbox_says_it_is() {
        let crate::edxml::Edxml::Document(document) = crate::edxml::read(DOCUMENT.as_bytes()).unwrap() else {
            panic!("it is a document");
        };
        assert_eq!(document.from.organ.as_str(), "G22");
        let to: Vec<_> = document.to.iter().map(|party| party.organ.as_str()).collect();
        assert_eq!(to, ["H49", "H02"]);
        assert_eq!(document.attachments.len(), 1);
    }
}
