//! Following the directory: what brings a caller up to date, then each change as it comes.

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Api;
use super::caller::Caller;
use super::cursor::{self, Log};
use super::directory::organ;
use super::streams::OpenStream;
use crate::directory::{Changes, Versions};
use crate::domain::limits::ORGANS_PAGE_MAX;
use crate::domain::message::Hash;
use crate::domain::refusal::Refusal;
use crate::proto::{convert, v1};

/// Pages on their way to the connection.
const OUT_MAX: usize = 2;

/// A stream of changes.
pub type Responses = BoxStream<'static, Result<v1::WatchResponse, Status>>;

type Out = mpsc::Sender<Result<v1::WatchResponse, Status>>;

impl Api {
    /// The directory from a cursor on.
    pub fn follow(&self, caller: Caller, request: &v1::WatchRequest) -> Result<Responses, Refusal> {
        let known = cursor::read(Log::Directory, "", &request.cursor, "cursor")?;
        let known =
            known.map(|text| Hash::parse(&text).ok_or_else(|| cursor::invalid("cursor"))).transpose()?;
        let open = match &caller {
            Caller::Organ(organ) => Some(self.streams.open(organ)?),
            Caller::Operator(_) => None,
        };
        let (out, pages) = mpsc::channel(OUT_MAX);
        let following = Following {
            versions: Arc::clone(&self.versions),
            today: self.today(),
            known,
            until_now: request.until_now,
            out,
            stop: self.stop.clone(),
            _open: open,
        };
        self.tasks.spawn(following.run());
        Ok(ReceiverStream::new(pages).boxed())
    }
}

struct Following {
    versions: Arc<Versions>,
    today: time::Date,
    known: Option<Hash>,
    until_now: bool,
    out: Out,
    stop: CancellationToken,
    _open: Option<OpenStream>,
}

impl Following {
    async fn run(mut self) {
        // Watched before it is read, so that nothing falls in between.
        let mut newest = self.versions.watch();
        loop {
            newest.mark_unchanged();
            if let Some(changes) = self.versions.since(self.known) {
                self.known = Some(changes.version);
                if !self.send(changes).await {
                    return;
                }
                continue;
            }
            if self.until_now {
                return;
            }
            tokio::select! {
                changed = newest.changed() => if changed.is_err() { return },
                () = self.out.closed() => return,
                () = self.stop.cancelled() => {
                    let stopping = convert::status(&Api::shutting_down());
                    let _gone = self.out.send(Err(stopping)).await.is_err();
                    return;
                }
            }
        }
    }

    /// Page by page; the last has the cursor. False when nobody reads any more.
    async fn send(&self, changes: Changes) -> bool {
        let Changes { version, complete, organs, removed } = changes;
        let mut pages: Vec<v1::WatchResponse> = organs
            .chunks(ORGANS_PAGE_MAX as usize)
            .map(|page| v1::WatchResponse {
                organs: page.iter().map(|one| organ(one, self.today)).collect(),
                ..Default::default()
            })
            .collect();
        if pages.is_empty() {
            pages.push(v1::WatchResponse::default());
        }
        if let Some(first) = pages.first_mut() {
            first.complete = complete;
            first.removed_organ_ids = removed.iter().map(ToString::to_string).collect();
        }
        if let Some(last) = pages.last_mut() {
            last.cursor = cursor::write(Log::Directory, "", version);
        }
        for page in pages {
            if self.out.send(Ok(page)).await.is_err() {
                return false;
            }
        }
        true
    }
}
