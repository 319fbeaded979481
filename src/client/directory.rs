//! A stream of changes of the directory.

use tonic::Streaming;

use super::error::CallError;
use crate::proto::v1;

/// The directory, then its changes as they come.
#[derive(Debug)]
pub struct DirectoryChanges(pub(super) Streaming<v1::WatchResponse>);

impl DirectoryChanges {
    /// The next page; nothing when the stream was asked to end where the changes end, and has.
    pub async fn next(&mut self) -> Result<Option<v1::WatchResponse>, CallError> {
        Ok(self.0.message().await?)
    }
}
