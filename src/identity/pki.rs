//! A development CA in a folder: what a sandbox, a test and a first installation need. No replacement for the CA of
//! a ministry - its key lies in a file.
//!
//! The folder holds `ca.crt`, `ca.key`, `crl.pem`, `revoked.txt` (what `crl.pem` is made from) and a `.crt` with its
//! `.key` for each certificate issued.

mod error;
mod revocations;
mod subject;
mod write;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, RevokedCertParams,
    SerialNumber,
};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use super::certificate::{parse, serial_text};
use super::error::{Error as FilesError, Malformed};
use super::files;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
pub use error::Error;
use revocations::Revocations;
pub use write::Existing;

const DAY: Duration = Duration::from_secs(86_400);
const CA_VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);
const CRL_VALIDITY: Duration = Duration::from_secs(365 * 86_400);
/// Certificates are valid from a little before they are made, for clocks that are behind.
const CLOCK_SKEW: Duration = Duration::from_secs(300);
const SERIAL_BYTES: usize = 16;

/// A CA in a folder.
pub struct Ca {
    dir: PathBuf,
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// Whom a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An organ's system: its id and the organ's name. File `H49.crt`.
    Organ(OrganId, String),
    /// A person who runs the gateway. File `NAME.crt`.
    Operator(String),
    /// A gateway, by the names and addresses it is called at. File of the first name, else of the first address.
    Server {
        /// DNS names.
        dns: Vec<String>,
        /// IP addresses.
        ips: Vec<IpAddr>,
    },
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Not valid before.
    pub not_before: Timestamp,
    /// Not valid after.
    pub not_after: Timestamp,
}

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its file.
    pub certificate: PathBuf,
    /// The file of its private key, which only the owner of the folder can read.
    pub key: PathBuf,
    /// Its serial number, lower-case hexadecimal.
    pub serial: String,
}

/// What to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoke<'a> {
    /// The certificate with this serial number, hexadecimal, with or without colons.
    Serial(&'a str),
    /// The certificate in this file.
    Certificate(&'a Path),
}

impl Validity {
    /// From now, less a few minutes for clocks that are behind, for so many days.
    pub fn days(now: Timestamp, days: u32) -> Self {
        Self { not_before: before(now, CLOCK_SKEW), not_after: now.plus(DAY * days) }
    }
}

impl Ca {
    /// Makes a CA, with its folder where that is missing, valid for ten years.
    pub fn create(dir: &Path, now: Timestamp, existing: Existing) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(|cause| Error::Unwritable { path: dir.to_owned(), cause })?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let serial = random_serial();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        // A name of its own for each CA: certificates of another one are then of an unknown CA, not forgeries.
        params
            .distinguished_name
            .push(DnType::CommonName, format!("Truc development CA {}", &serial_text(&serial)[..8]));
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = dates(before(now, CLOCK_SKEW), now.plus(CA_VALIDITY))?;
        let certificate = params.self_signed(&key)?;
        let ca_files = [
            write::file(dir.join("ca.key"), key.serialize_pem(), write::Secrecy::Owner),
            write::file(dir.join("ca.crt"), certificate.pem(), write::Secrecy::None),
            write::file(dir.join("revoked.txt"), String::new(), write::Secrecy::None),
        ];
        write::all(&ca_files, existing)?;
        let issuer = Issuer::new(params, key);
        let ca = Self { dir: dir.to_owned(), certificate: certificate.into(), issuer };
        ca.write_crl(&Revocations::default(), now)?;
        Ok(ca)
    }

    /// Opens the CA of a folder.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let (crt, key) = (dir.join("ca.crt"), dir.join("ca.key"));
        let certificate = files::certificates(&crt)?.swap_remove(0);
        let pem = String::from_utf8_lossy(&files::read(&key)?).into_owned();
        let pair = KeyPair::from_pem(&pem)
            .map_err(|e| Error::BadKey { path: key.clone(), reason: e.to_string() })?;
        let unreadable = |reason| FilesError::BadCertificate { path: crt.clone(), reason };
        if parse(&certificate).map_err(unreadable)?.public_key().raw != pair.subject_public_key_info() {
            return Err(FilesError::KeyMismatch { certificate: crt, key }.into());
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificate, pair).map_err(|e| unreadable(Malformed(e.to_string())))?;
        Ok(Self { dir: dir.to_owned(), certificate, issuer })
    }

    /// Issues a certificate with a new P-256 key, and writes both into the CA's folder.
    pub fn issue(&self, subject: &Subject, validity: Validity, existing: Existing) -> Result<Issued, Error> {
        let (stem, mut params) = subject.params()?;
        let serial = random_serial();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        (params.not_before, params.not_after) = dates(validity.not_before, validity.not_after)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let issued = Issued {
            certificate: self.dir.join(format!("{stem}.crt")),
            key: self.dir.join(format!("{stem}.key")),
            serial: serial_text(&serial),
        };
        let pair = [
            write::file(issued.key.clone(), key.serialize_pem(), write::Secrecy::Owner),
            write::file(issued.certificate.clone(), certificate.pem(), write::Secrecy::None),
        ];
        write::all(&pair, existing)?;
        Ok(issued)
    }

    /// Revokes a certificate and writes `crl.pem` anew, whole or not at all. Revoking again changes nothing but the
    /// list's date. Gives the serial number.
    pub fn revoke(&self, what: Revoke<'_>, now: Timestamp) -> Result<String, Error> {
        let serial = match what {
            Revoke::Serial(text) => revocations::parse_serial(text)?,
            Revoke::Certificate(path) => self.serial_of(path)?,
        };
        let mut revoked = Revocations::read(&self.dir)?;
        revoked.add(&serial, now);
        let list = write::file(Revocations::path(&self.dir), revoked.to_text(), write::Secrecy::None);
        write::all(&[list], Existing::Replace)?;
        self.write_crl(&revoked, now)?;
        Ok(serial_text(&serial))
    }

    /// The CA's certificate, in its folder.
    pub fn certificate_path(&self) -> PathBuf {
        self.dir.join("ca.crt")
    }

    /// The CA's revocation list, in its folder.
    pub fn crl_path(&self) -> PathBuf {
        self.dir.join("crl.pem")
    }

    fn serial_of(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let unreadable = |reason| FilesError::BadCertificate { path: path.to_owned(), reason };
        let certificate = files::certificates(path)?.swap_remove(0);
        let x509 = parse(&certificate).map_err(unreadable)?;
        let own = parse(&self.certificate).map_err(unreadable)?;
        match x509.issuer().as_raw() == own.subject().as_raw() {
            true => Ok(x509.raw_serial().to_vec()),
            false => Err(Error::NotIssuedHere { path: path.to_owned() }),
        }
    }

    fn write_crl(&self, revoked: &Revocations, now: Timestamp) -> Result<(), Error> {
        let (this_update, next_update) = dates(before(now, CLOCK_SKEW), now.plus(CRL_VALIDITY))?;
        let mut revoked_certs = Vec::new();
        for (serial, at) in revoked.iter() {
            revoked_certs.push(RevokedCertParams {
                serial_number: SerialNumber::from_slice(serial),
                revocation_time: date(at)?,
                reason_code: None,
                invalidity_date: None,
            });
        }
        let params = CertificateRevocationListParams {
            this_update,
            next_update,
            crl_number: SerialNumber::from(now.as_micros().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let crl = write::file(self.crl_path(), params.signed_by(&self.issuer)?.pem()?, write::Secrecy::None);
        write::all(&[crl], Existing::Replace)
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// A positive number that nobody can guess, the same length each time.
fn random_serial() -> [u8; SERIAL_BYTES] {
    let mut serial = [0; SERIAL_BYTES];
    files::provider()
        .secure_random
        .fill(&mut serial)
        .expect("aws-lc-rs has a source of randomness or aborts");
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

fn before(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp::EPOCH.plus(now.since(Timestamp::EPOCH).saturating_sub(by))
}

fn dates(from: Timestamp, to: Timestamp) -> Result<(OffsetDateTime, OffsetDateTime), Error> {
    if from < to { Ok((date(from)?, date(to)?)) } else { Err(Error::BadValidity) }
}

fn date(at: Timestamp) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp(at.as_micros().div_euclid(1_000_000)).map_err(|_| Error::BadValidity)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::identity::{Role, inspect};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn organ(id: &str) -> Subject {
        Subject::Organ(OrganId::parse(id).unwrap(), "Ủy ban nhân dân tỉnh Quảng Ninh".into())
    }

    #[test]
    fn certificates_say_whom_they_are_for() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(dir.path(), NOW, Existing::Keep).unwrap();
        let issued = ca.issue(&organ("H49"), Validity::days(NOW, 30), Existing::Keep).unwrap();
        assert_eq!(issued.certificate, dir.path().join("H49.crt"));
        let facts = inspect(&issued.certificate).unwrap();
        assert_eq!(facts.role, Role::Organ(OrganId::parse("H49").unwrap()));
        assert_eq!(facts.serial, issued.serial);
        assert!(facts.subject.contains("Quảng Ninh") && facts.subject.contains("H49"), "{}", facts.subject);
        assert_eq!(facts.not_after, NOW.plus(30 * DAY));
        assert!(facts.not_before < NOW);

        let operator =
            ca.issue(&Subject::Operator("lan".into()), Validity::days(NOW, 1), Existing::Keep).unwrap();
        assert_eq!(inspect(&operator.certificate).unwrap().role, Role::Operator("lan".into()));
        let server = Subject::Server { dns: vec!["gw.example.vn".into()], ips: vec![[127, 0, 0, 1].into()] };
        let server = ca.issue(&server, Validity::days(NOW, 1), Existing::Keep).unwrap();
        assert_eq!(server.key, dir.path().join("gw.example.vn.key"));
        assert_eq!(inspect(&server.certificate).unwrap().role, Role::None);
    }

    #[test]
    fn keys_are_the_owners_and_nothing_is_overwritten_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(dir.path(), NOW, Existing::Keep).unwrap();
        let first = ca.issue(&organ("H49"), Validity::days(NOW, 30), Existing::Keep).unwrap();
        for key in [dir.path().join("ca.key"), first.key.clone()] {
            assert_eq!(
                std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
                0o600,
                "{}",
                key.display()
            );
        }
        assert!(matches!(Ca::create(dir.path(), NOW, Existing::Keep), Err(Error::Exists { .. })));
        std::fs::remove_file(&first.certificate).unwrap();
        let again = ca.issue(&organ("H49"), Validity::days(NOW, 30), Existing::Keep);
        assert!(matches!(again, Err(Error::Exists { path }) if path == first.key));
        assert!(!first.certificate.exists());
        let replaced = ca.issue(&organ("H49"), Validity::days(NOW, 30), Existing::Replace).unwrap();
        assert_ne!(replaced.serial, first.serial);
        assert_eq!(std::fs::metadata(&replaced.key).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_ca_is_opened_with_its_own_key_only() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        Ca::create(one.path(), NOW, Existing::Keep).unwrap();
        Ca::create(two.path(), NOW, Existing::Keep).unwrap();
        let ca = Ca::open(one.path()).unwrap();
        let issued = ca.issue(&organ("H49"), Validity::days(NOW, 30), Existing::Keep).unwrap();
        let elsewhere = Ca::open(two.path()).unwrap().revoke(Revoke::Certificate(&issued.certificate), NOW);
        assert!(matches!(elsewhere, Err(Error::NotIssuedHere { .. })));
        std::fs::copy(two.path().join("ca.key"), one.path().join("ca.key")).unwrap();
        assert!(matches!(Ca::open(one.path()), Err(Error::File(FilesError::KeyMismatch { .. }))));
        std::fs::write(one.path().join("ca.key"), "no key").unwrap();
        assert!(matches!(Ca::open(one.path()), Err(Error::BadKey { .. })));
        assert!(matches!(
            Ca::open(&one.path().join("none")),
            Err(Error::File(FilesError::Unreadable { .. }))
        ));
    }

    #[test]
    fn the_revocation_list_names_what_was_revoked() {
        use x509_parser::prelude::{CertificateRevocationList, FromDer};
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(dir.path(), NOW, Existing::Keep).unwrap();
        let revoked = || -> Vec<String> {
            let ders = files::crls_in(&ca.crl_path(), std::fs::read(ca.crl_path()).unwrap()).unwrap();
            let (_, crl) = CertificateRevocationList::from_der(&ders[0]).unwrap();
            crl.iter_revoked_certificates().map(|r| serial_text(r.raw_serial())).collect()
        };
        assert!(revoked().is_empty());
        let issued = ca.issue(&organ("H49"), Validity::days(NOW, 30), Existing::Keep).unwrap();
        assert_eq!(ca.revoke(Revoke::Certificate(&issued.certificate), NOW).unwrap(), issued.serial);
        assert_eq!(Ca::open(dir.path()).unwrap().revoke(Revoke::Serial("0A:0B"), NOW).unwrap(), "0a0b");
        ca.revoke(Revoke::Serial(&issued.serial), NOW).unwrap();
        assert_eq!(revoked(), [issued.serial.as_str(), "0a0b"]);
    }

    #[test]
    fn names_that_would_leave_the_folder_or_hit_the_ca_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(dir.path(), NOW, Existing::Keep).unwrap();
        let server = |name: &str| Subject::Server { dns: vec![name.into()], ips: vec![] };
        let operator = |name: &str| Subject::Operator(name.into());
        let nobody = Subject::Server { dns: vec![], ips: vec![] };
        for subject in [
            operator("../x"),
            operator("ca"),
            operator(".x"),
            operator(""),
            server("a/b"),
            server("CRL"),
            nobody,
        ] {
            let refused = ca.issue(&subject, Validity::days(NOW, 1), Existing::Replace);
            assert!(matches!(refused, Err(Error::BadName { .. })), "{subject:?}");
        }
        let backwards = Validity { not_before: NOW, not_after: NOW };
        assert!(matches!(ca.issue(&organ("H49"), backwards, Existing::Keep), Err(Error::BadValidity)));
    }

    #[test]
    fn debug_output_has_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::create(dir.path(), NOW, Existing::Keep).unwrap();
        assert_eq!(format!("{ca:?}"), format!("Ca {{ dir: {:?}, .. }}", dir.path()));
    }
}
