//! Watching receipts: from a cursor on, then as they come.

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Api;
use super::caller::{Caller, Speaker};
use super::cursor::{self, Log};
use super::streams::OpenStream;
use crate::domain::limits::RECEIPTS_PAGE_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::domain::refusal::Refusal;
use crate::intake::ledger_failed;
use crate::proto::{convert, v1};

/// Pages on their way to the connection.
const OUT_MAX: usize = 2;

/// A stream of receipts.
pub type Responses = BoxStream<'static, Result<v1::WatchReceiptsResponse, Status>>;

impl Api {
    /// The receipts of an organ's messages.
    pub async fn watch_receipts(
        self: Arc<Self>,
        caller: Caller,
        request: v1::WatchReceiptsRequest,
    ) -> Result<Responses, Refusal> {
        let Speaker { by, organ } = self.speaker(caller, &request.organ, "organ")?;
        let after = self.receipts_cursor(&organ, &request.cursor).await?;
        let open = self.streams.open(&by)?;
        let (out, pages) = mpsc::channel(OUT_MAX);
        let tasks = self.tasks.clone();
        tasks.spawn(self.send_receipts(organ, after, request.until_now, out, open));
        Ok(ReceiverStream::new(pages).boxed())
    }

    async fn receipts_cursor(&self, organ: &OrganId, given: &str) -> Result<u64, Refusal> {
        let after = cursor::read_number(Log::Receipts, organ.as_str(), given, "cursor")?;
        let Some(after) = after else { return Ok(0) };
        // The receipt it stands after has to be there.
        let there = self.dispatch.ledger.receipts(organ, after.saturating_sub(1), 1).await;
        let there = there.map_err(|error| ledger_failed(&error))?;
        match after == 0 || there.first().is_some_and(|receipt| receipt.sender_sequence == after) {
            true => Ok(after),
            false => Err(cursor::invalid("cursor")),
        }
    }

    async fn send_receipts(
        self: Arc<Self>,
        organ: OrganId,
        mut after: u64,
        until_now: bool,
        out: mpsc::Sender<Result<v1::WatchReceiptsResponse, Status>>,
        _open: OpenStream,
    ) {
        // Watched before it is read, so that nothing falls in between.
        let mut watcher = self.dispatch.heads.watch(&organ);
        loop {
            let page = match self.dispatch.ledger.receipts(&organ, after, RECEIPTS_PAGE_MAX).await {
                Ok(page) => page,
                Err(error) => {
                    let _gone = out.send(Err(self.refuse(&ledger_failed(&error)))).await.is_err();
                    return;
                }
            };
            if let Some(last) = page.last() {
                after = last.sender_sequence;
                if out.send(Ok(response(&organ, &page, after))).await.is_err() {
                    return;
                }
                continue;
            }
            if until_now {
                return;
            }
            tokio::select! {
                () = watcher.grown() => {}
                () = out.closed() => return,
                () = self.stop.cancelled() => {
                    let _gone = out.send(Err(self.refuse(&Self::shutting_down()))).await.is_err();
                    return;
                }
            }
        }
    }
}

fn response(organ: &OrganId, page: &[Receipt], after: u64) -> v1::WatchReceiptsResponse {
    v1::WatchReceiptsResponse {
        receipts: page.iter().map(convert::receipt).collect(),
        cursor: cursor::write(Log::Receipts, organ.as_str(), after),
    }
}
