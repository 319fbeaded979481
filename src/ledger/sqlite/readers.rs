//! Readers beside the writer: a few read-only connections, each used by one query at a time.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::organs::Names;
use super::schema;
use crate::ledger::Error;

/// The readers of one ledger. At most as many queries run at a time as there are connections; the others wait.
#[derive(Debug)]
pub(super) struct Readers {
    names: Arc<Names>,
    idle: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    /// Opens the connections.
    pub fn open(path: &Path, count: usize) -> rusqlite::Result<Self> {
        let idle = (0..count).map(|_| schema::open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            names: Arc::default(),
            idle: Arc::new(Mutex::new(idle)),
            permits: Arc::new(Semaphore::new(count)),
        })
    }

    /// Runs one query off the async threads.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection, &Names) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Closed)?;
        let (idle, names) = (Arc::clone(&self.idle), Arc::clone(&self.names));
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let connection = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = connection.expect("there are as many connections as permits");
            let result = query(&connection, &names);
            idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            result
        });
        match task.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                tracing::error!(%error, "a query of the ledger failed");
                Err(Error::Failed(error.to_string().into()))
            }
            Err(_) => Err(Error::Closed),
        }
    }
}
