//! A stream of receipts.

use tonic::Streaming;

use super::error::CallError;
use crate::proto::v1;

/// The receipts of an organ's messages, as they come.
#[derive(Debug)]
pub struct Receipts(pub(super) Streaming<v1::WatchReceiptsResponse>);

impl Receipts {
    /// The next page; nothing when the stream was asked to end where the receipts end, and has.
    pub async fn next(&mut self) -> Result<Option<v1::WatchReceiptsResponse>, CallError> {
        Ok(self.0.message().await?)
    }
}
