//! What can be replaced while the gateway works: certificates, revocation lists, the directory, limits of organs, holidays, codes of dossiers.

use std::sync::Arc;

use super::Parts;
use super::assemble::working_days;
use crate::allowances::{self, Allowances};
use crate::config;
use crate::directory::{self, Directory};
use crate::duty::HolidaysError;
use crate::identity;
use crate::intake::codes::{CodeMap, CodeMapError};
use crate::ledger;
use crate::redirect::Moved;

/// What could not be reloaded; it stays as it was, and the rest is new.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The certificates.
    #[error("certificates: {0}")]
    Identity(#[from] identity::Error),
    /// The limits of single organs.
    #[error("limits of organs: {0}")]
    Allowances(#[from] allowances::Error),
    /// The directory.
    #[error("directory: {0}")]
    Directory(#[from] directory::Error),
    /// The map of dossier codes.
    #[error("dossiers.codes: {0}")]
    DossierCodes(#[from] CodeMapError),
    /// The holidays.
    #[error("duty.holidays: {0}")]
    Holidays(#[from] HolidaysError),
}

impl Parts {
    /// Loads all again and moves the mail of organs that have closed; what was moved, or why it could not be.
    pub(super) async fn take_up(&self) -> Result<Result<Vec<Moved>, ledger::Error>, ReloadError> {
        let loaded = self.load();
        let moved = self.redirects.sweep().await;
        loaded.map(|()| moved)
    }

    /// Loads all again; the mail of organs that have closed is moved meanwhile.
    pub(super) fn reload(&self) -> Result<(), ReloadError> {
        let loaded = self.load();
        self.redirects.directory_changed();
        loaded
    }

    fn load(&self) -> Result<(), ReloadError> {
        let directory = read_directory(&self.directory_config).map(|new| self.directory.store(Arc::new(new)));
        let allowances =
            Allowances::read(&self.allowance_files).map(|new| self.dispatch.allowances.store(Arc::new(new)));
        let rechecked = self.tls.reload()?;
        tracing::info!(connections_cut = rechecked.cut, "certificates and revocation lists are reloaded");
        let working_days = working_days(&self.duty_config).map(|new| self.duties.replace(new));
        let codes =
            CodeMap::read(&self.dossier_codes_file).map(|new| self.dossier_codes.store(Arc::new(new)));
        allowances?;
        codes?;
        directory?;
        working_days?;
        self.versions.add(self.directory.load_full());
        if let Some(bridge) = &self.bridge {
            bridge.directory_changed();
        }
        self.pushes.directory_changed();
        tracing::info!(organs = self.directory.load().len(), "the directory is reloaded");
        Ok(())
    }
}

/// The directory of the files, or the one the program carries when there are none, and what has changed since.
pub fn read_directory(config: &config::directory::Directory) -> Result<Directory, directory::Error> {
    Directory::read(&config.files, &config.changes)
}
