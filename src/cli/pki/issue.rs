//! `truc pki issue`: a certificate for an organ, an operator or a gateway, and a profile to call with it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Folder, refused};
use crate::cli::exit::Exit;
use crate::cli::out::{Form, Out};
use crate::cli::tables;
use crate::cli::words::{Lang, Word};
use crate::client::{Profile, ProfileError, ProfileFiles};
use crate::directory::Directory;
use crate::domain::organ_id::OrganId;
use crate::domain::time::{Clock, SystemClock};
use crate::identity::pki::{Ca, Existing, Issued, Subject, Validity};

/// Longest validity that makes sense of a certificate, days.
const DAYS_MAX: i64 = 3_650;

/// Issue a certificate / Cấp chứng thư số
///
/// Makes a new key and its certificate in the CA's folder. With --profile, also makes a folder that holds all a
/// caller needs.
#[derive(Debug, Args)]
pub struct Issue {
    #[command(flatten)]
    whom: Whom,
    /// The organ's name in the certificate; without one, its name in the built-in directory
    #[arg(long, value_name = "NAME", requires = "organ")]
    name: Option<String>,
    /// Days the certificate is valid
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=DAYS_MAX))]
    days: u32,
    /// Profile folder to make: profile.toml, ca.crt, the certificate and its key
    #[arg(long, value_name = "DIR", requires = "endpoint", conflicts_with = "server")]
    profile: Option<PathBuf>,
    /// The gateway the profile is for, https://HOST:PORT
    #[arg(long, value_name = "URL", requires = "profile")]
    endpoint: Option<String>,
    /// Replace a certificate and profile that are there already
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    form: Form,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whom {
    /// For an organ's system: its id, H49 or 000.00.00.H49
    #[arg(long, value_name = "ID")]
    organ: Option<OrganId>,
    /// For a person who runs the gateway
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// For a gateway: the DNS names and IP addresses it is called at
    #[arg(long, value_name = "DNS/IP", num_args = 1.., value_delimiter = ',')]
    server: Vec<String>,
}

impl Whom {
    fn subject(&self, name: Option<&str>) -> Subject {
        match (&self.organ, &self.operator) {
            (Some(organ), _) => {
                let known = || Directory::embedded().get(organ).map(|organ| organ.name.to_string());
                let name = name.map(str::to_owned).or_else(known).unwrap_or_default();
                Subject::Organ(organ.clone(), name)
            }
            (None, Some(operator)) => Subject::Operator(operator.clone()),
            (None, None) => {
                let (mut dns, mut ips) = (Vec::new(), Vec::new());
                for name in &self.server {
                    match name.parse() {
                        Ok(ip) => ips.push(ip),
                        Err(_) => dns.push(name.clone()),
                    }
                }
                Subject::Server { dns, ips }
            }
        }
    }
}

impl Issue {
    pub(super) fn run(self, lang: Lang) -> Result<(), Exit> {
        let existing = if self.replace { Existing::Replace } else { Existing::Keep };
        let subject = self.whom.subject(self.name.as_deref());
        let ca = Ca::open(&self.folder.dir).map_err(refused)?;
        let issued =
            ca.issue(&subject, Validity::days(SystemClock.now(), self.days), existing).map_err(refused)?;
        if let (Some(dir), Some(endpoint)) = (&self.profile, &self.endpoint) {
            self.make_profile(&ca, &issued, dir, endpoint)?;
        }
        let Issued { certificate, key, serial } = issued;
        let mut out = Out::new(lang, self.form);
        out.object(&serde_json::json!({
            "type": "certificate",
            "certificate": certificate,
            "key": key,
            "serial": serial,
            "profile": self.profile,
        }))?;
        let shown = |path: &Path| path.display().to_string();
        out.text(tables::facts(
            lang,
            [
                (Word::Certificate, shown(&certificate)),
                (Word::PrivateKey, shown(&key)),
                (Word::Serial, serial),
                (Word::Profile, self.profile.as_deref().map(shown).unwrap_or_default()),
            ],
        ))
    }

    fn make_profile(&self, ca: &Ca, issued: &Issued, dir: &Path, endpoint: &str) -> Result<(), Exit> {
        let ca = ca.certificate_path();
        let from = ProfileFiles { endpoint, ca: &ca, cert: &issued.certificate, key: &issued.key };
        let saved = Profile::save(dir, from, self.replace);
        saved.map(drop).map_err(|error| match error {
            ProfileError::Exists { .. } => Exit::usage(error),
            error => Exit::failed(error),
        })
    }
}
