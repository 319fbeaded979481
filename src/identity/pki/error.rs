//! Why the development CA did not do as it was told, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::identity::error::Error as FilesError;

/// Why the CA did not do as it was told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file is there already.
    #[error("{path} exists already; nothing was overwritten")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file can't be written.
    #[error("{path}: {cause}; check that the folder may be written and has room")]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        cause: io::Error,
    },
    /// A file of the CA can't be used.
    #[error(transparent)]
    File(#[from] FilesError),
    /// The CA's key can't be read.
    #[error("{path}: not a private key of this CA ({reason})")]
    BadKey {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A line of the list of revoked certificates can't be read.
    #[error("{path}, line {line}: not of the form SERIAL TIME; mend the line by hand")]
    BadRevocation {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A name that can't be used.
    #[error("{name:?} can't be the name of {what}: {rule}")]
    BadName {
        /// As given.
        name: String,
        /// Of what.
        what: &'static str,
        /// What is allowed.
        rule: &'static str,
    },
    /// A serial number that is none.
    #[error("{0:?} is not a serial number: 1 to 20 bytes in hexadecimal, with or without colons")]
    BadSerial(String),
    /// A certificate of another CA.
    #[error("{path} was not issued by this CA; revoke it where it was")]
    NotIssuedHere {
        /// The file.
        path: PathBuf,
    },
    /// A moment that no certificate can carry.
    #[error(
        "the validity does not fit into a certificate: it must end after it begins, and before the year 10000"
    )]
    BadValidity,
    /// A certificate or list can't be made.
    #[error("the certificate can't be made: {0}")]
    Make(#[from] rcgen::Error),
}
