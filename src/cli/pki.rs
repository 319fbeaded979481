//! `truc pki`: a development CA in a folder.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::out::{Form, Out};
use super::words::{Lang, Word};
use super::{tables, times};
use crate::domain::time::{Clock, SystemClock};
use crate::identity::pki::{Ca, Error, Existing, Revoke};
use crate::identity::{self, CertificateFacts, Role};

mod issue;

/// Make a development CA and certificates / Tạo CA thử nghiệm và chứng thư số
///
/// For trying out and developing. The CA's key lies in a file: no replacement for a real CA.
#[derive(Debug, Args)]
pub struct Pki {
    #[command(subcommand)]
    command: PkiCommand,
}

#[derive(Debug, Subcommand)]
enum PkiCommand {
    Init(Init),
    Issue(issue::Issue),
    Revoke(RevokeArgs),
    Show(Show),
}

/// Make a CA / Tạo CA
///
/// Writes ca.crt, ca.key and an empty crl.pem. Valid for ten years.
#[derive(Debug, Args)]
struct Init {
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    form: Form,
}

/// Revoke a certificate / Thu hồi chứng thư số
///
/// Writes crl.pem anew. Gateways take it up when they reload (SIGHUP).
#[derive(Debug, Args)]
struct RevokeArgs {
    /// The certificate
    #[arg(value_name = "FILE", required_unless_present = "serial")]
    certificate: Option<PathBuf>,
    /// Its serial number, hexadecimal, where the file is lost
    #[arg(long, value_name = "HEX", conflicts_with = "certificate")]
    serial: Option<String>,
    #[command(flatten)]
    folder: Folder,
    #[command(flatten)]
    form: Form,
}

/// Show what a certificate says / Xem chứng thư số
///
/// Reads the first certificate of a file; verifies nothing.
#[derive(Debug, Args)]
struct Show {
    /// A certificate, PEM or DER
    #[arg(value_name = "FILE")]
    certificate: PathBuf,
    #[command(flatten)]
    form: Form,
}

/// Where the CA is.
#[derive(Debug, Args)]
struct Folder {
    /// Folder of the CA
    #[arg(long, value_name = "DIR", default_value = "pki")]
    dir: PathBuf,
}

impl Pki {
    /// Does it.
    pub fn run(self, lang: Lang) -> Result<(), Exit> {
        match self.command {
            PkiCommand::Init(init) => init.run(lang),
            PkiCommand::Issue(issue) => issue.run(lang),
            PkiCommand::Revoke(revoke) => revoke.run(lang),
            PkiCommand::Show(show) => show.run(lang),
        }
    }
}

impl Init {
    fn run(self, lang: Lang) -> Result<(), Exit> {
        let ca = Ca::create(&self.folder.dir, SystemClock.now(), Existing::Keep).map_err(refused)?;
        let (certificate, crl) = (ca.certificate_path(), ca.crl_path());
        let mut out = Out::new(lang, self.form);
        out.object(&serde_json::json!({ "type": "ca", "certificate": certificate, "crl": crl }))?;
        out.text(tables::facts(
            lang,
            [
                (Word::Certificate, certificate.display().to_string()),
                (Word::RevocationList, crl.display().to_string()),
            ],
        ))
    }
}

impl RevokeArgs {
    fn run(self, lang: Lang) -> Result<(), Exit> {
        let what = match (&self.certificate, &self.serial) {
            (Some(file), _) => Revoke::Certificate(file),
            (None, Some(serial)) => Revoke::Serial(serial),
            (None, None) => return Err(Exit::usage("name the certificate's FILE, or its --serial")),
        };
        let ca = Ca::open(&self.folder.dir).map_err(refused)?;
        let serial = ca.revoke(what, SystemClock.now()).map_err(refused)?;
        let mut out = Out::new(lang, self.form);
        let crl = ca.crl_path();
        out.object(&serde_json::json!({ "type": "revocation", "serial": serial, "crl": crl }))?;
        let word = out.word(Word::Revoked);
        out.text(format_args!("{serial} {word}: {}", crl.display()))
    }
}

impl Show {
    fn run(self, lang: Lang) -> Result<(), Exit> {
        let facts = identity::inspect(&self.certificate).map_err(Exit::usage)?;
        let CertificateFacts { subject, role, no_role, serial, fingerprint, not_before, not_after } = facts;
        let (not_before, not_after) = (times::written(not_before), times::written(not_after));
        let mut out = Out::new(lang, self.form);
        let (organ, operator) = match &role {
            Role::Organ(organ) => (Some(organ.to_string()), None),
            Role::Operator(name) => (None, Some(name.as_str())),
            Role::None => (None, None),
        };
        out.object(&serde_json::json!({
            "type": "certificate",
            "subject": subject,
            "organ": organ,
            "operator": operator,
            "no_role": no_role.as_ref().map(ToString::to_string),
            "serial": serial,
            "sha256": fingerprint.to_string(),
            "not_before": times::exact(Some(&not_before)),
            "not_after": times::exact(Some(&not_after)),
        }))?;
        let role = no_role.map_or_else(|| role.to_string(), |why| why.to_string());
        out.text(tables::facts(
            lang,
            [
                (Word::Subjects, subject),
                (Word::Role, role),
                (Word::Serial, serial),
                (Word::Fingerprint, fingerprint.to_string()),
                (Word::NotBefore, times::short(Some(&not_before))),
                (Word::NotAfter, times::short(Some(&not_after))),
            ],
        ))
    }
}

/// The CA's errors by whose fault they are: what was asked for, or what the machine did.
fn refused(error: Error) -> Exit {
    match error {
        Error::Exists { .. }
        | Error::File(_)
        | Error::BadKey { .. }
        | Error::BadRevocation { .. }
        | Error::BadName { .. }
        | Error::BadSerial(_)
        | Error::NotIssuedHere { .. }
        | Error::BadValidity => Exit::usage(error),
        Error::Unwritable { .. } | Error::Make(_) => Exit::failed(error),
    }
}
