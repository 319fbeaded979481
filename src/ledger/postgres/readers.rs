//! Readers beside the writer: a pool of connections, each used by one query at a time.

use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use futures_util::future::BoxFuture;

use super::Options;
use super::fault::Fault;
use super::names::Names;
use super::server::Server;
use crate::ledger::Error;

/// The answer to a statement comes a little after the time the server gives it.
const MARGIN: Duration = Duration::from_secs(1);

/// The readers of one ledger. At most as many queries run at a time as there are connections; the others wait, for a while.
#[derive(Debug)]
pub(crate) struct Readers {
    pool: Pool,
    names: Arc<Names>,
    timeout: Duration,
}

impl Readers {
    /// A pool that connects when it is used.
    pub fn new(server: Server, options: &Options, names: Arc<Names>) -> Self {
        // Asking a connection whether it is alive would be a round trip before each query. One that turns out to be
        // gone is replaced, and the query made again: reading twice does no harm.
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(server.any_host(), server, manager);
        let pool = Pool::builder(manager)
            .max_size(options.pool_max)
            .wait_timeout(Some(options.pool_wait_timeout))
            .create_timeout(Some(options.connect_timeout))
            .recycle_timeout(Some(options.connect_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with timeouts has a runtime");
        Self { pool, names, timeout: options.statement_timeout + MARGIN }
    }

    /// Runs one query, twice where the connection was gone.
    pub async fn read<T>(
        &self,
        query: impl for<'c> Fn(&'c ClientWrapper, &'c Names) -> BoxFuture<'c, Result<T, Fault>>,
    ) -> Result<T, Error> {
        let mut result = self.once(&query).await;
        if result.as_ref().is_err_and(Fault::ends_connection) {
            result = self.once(&query).await;
        }
        result.map_err(|fault| {
            tracing::error!(%fault, "a query of the ledger failed");
            Error::Failed(fault.to_string().into())
        })
    }

    async fn once<T>(
        &self,
        query: &impl for<'c> Fn(&'c ClientWrapper, &'c Names) -> BoxFuture<'c, Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let lent = Lent(Some(self.pool.get().await.map_err(refused)?));
        let answer = tokio::time::timeout(self.timeout, query(lent.client(), &self.names)).await;
        let answer = answer.unwrap_or(Err(Fault::Timeout))?;
        lent.give_back();
        Ok(answer)
    }

    /// Lets no one read any more.
    pub fn close(&self) {
        self.pool.close();
    }
}

/// A connection of the pool. One whose query failed or was cut off in the middle does not go back.
struct Lent(Option<Object>);

impl Lent {
    fn client(&self) -> &ClientWrapper {
        self.0.as_ref().expect("it is there until it is given back")
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

fn refused(error: PoolError) -> Fault {
    match error {
        PoolError::Backend(error) => error.into(),
        error => Fault::Pool(error.to_string()),
    }
}
