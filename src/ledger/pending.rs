//! Answers that come when they are durable.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// The ledger cannot do its work now; the cause is in the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It has been closed.
    #[error("the ledger is closed")]
    Closed,
    /// Reading or writing failed.
    #[error("the ledger failed: {0}")]
    Failed(Arc<str>),
}

/// The answer to something handed over: resolves when it is durable.
#[derive(Debug)]
pub struct Pending<T>(oneshot::Receiver<Result<T, Error>>);

impl<T> Pending<T> {
    /// A pending answer and where to put it.
    pub fn new() -> (oneshot::Sender<Result<T, Error>>, Self) {
        let (tx, rx) = oneshot::channel();
        (tx, Self(rx))
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(Error::Closed)))
    }
}
