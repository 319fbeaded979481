//! Readers beside the writer: a few read-only connections, each used by one query at a time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::file::{self, Form};
use crate::ledger::Error;

/// The readers of one database. At most as many queries run at a time as there are connections; the others wait.
#[derive(Debug)]
pub(crate) struct Readers {
    name: &'static str,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Opens the connections.
    pub fn open(path: &Path, form: &Form, count: usize) -> rusqlite::Result<Self> {
        let idle = (0..count).map(|_| file::open_reader(path, form)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            name: form.name,
            idle: Arc::new(Mutex::new(idle)),
            permits: Arc::new(Semaphore::new(count)),
        })
    }

    /// Runs one query off the async threads.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let idle = Arc::clone(&self.idle);
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = connection.expect("there are as many connections as permits");
            let result = query(&connection);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            result
        });
        match task.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                tracing::error!(%error, "a query of {} failed", self.name);
                Err(Error::Failed(error.to_string().into()))
            }
            Err(_) => Err(Error::Closed),
        }
    }
}
