//! Receipts for agencies attached by AMQP: each sender's log, in order, into its queue. One node forwards a log at a time; repeats
//! may occur, gaps never do.

use std::sync::Arc;
use std::time::Duration;

use super::codec::{self, Body, Form};
use super::office::{Office, properties};
use super::status_files::StatusFiles;
use super::turn::{Term, Turn, Word};
use crate::amqp::{Outgoing, Settled};
use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY, Watcher};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::ledger;
use crate::proto::convert;

/// Receipts published together.
const PAGE: usize = 256;
/// Bytes of status files beyond which nothing more is published together.
const FILE_BYTES: usize = 1024 * 1024;
/// How long a node has the word over a log. What must be left of it to publish a page is longer than a publisher waits for its confirms.
const TERM: Term = Term { long: Duration::from_secs(30), left_min: Duration::from_secs(16) };
/// The longest wait before a queue that did not take its receipts is tried again.
const QUEUE_RETRY_DELAY_MAX: Duration = Duration::from_secs(30);

/// Forwards the receipts of one organ.
pub struct Forwarder {
    office: Arc<Office>,
    dispatch: Arc<Dispatch>,
    organ: OrganId,
    mark: String,
    files: StatusFiles,
    turn: Turn,
    retry_delay: Duration,
}

/// What to do next.
enum Next {
    /// Look for more at once.
    More,
    /// Wait until the log has grown.
    Wait,
    /// Look again after this time.
    After(Duration),
}

impl Forwarder {
    /// A forwarder of this organ's receipts.
    pub fn new(office: Arc<Office>, dispatch: Arc<Dispatch>, organ: OrganId) -> Self {
        let turn = Turn::new(Arc::clone(&dispatch), format!("receipts-turn/{organ}"), TERM);
        let mark = format!("receipts/{organ}");
        let files = StatusFiles::new(Arc::clone(&office), Arc::clone(&dispatch));
        Self { office, dispatch, organ, mark, files, turn, retry_delay: LEDGER_RETRY_DELAY }
    }

    /// Forwards until it is stopped.
    pub async fn run(mut self) {
        // Watched before it is read, so that nothing falls in between.
        let mut watcher = self.dispatch.heads.watch(&self.organ);
        loop {
            match self.forward().await {
                Ok(Next::More) => {}
                Ok(Next::Wait) => watcher.grown().await,
                Ok(Next::After(delay)) => self.wait(delay, &mut watcher).await,
                // The ledger has logged why.
                Err(_) => tokio::time::sleep(LEDGER_RETRY_DELAY).await,
            }
        }
    }

    async fn wait(&self, delay: Duration, watcher: &mut Watcher) {
        tokio::time::sleep(delay).await;
        // What has grown meanwhile is read now.
        let _seen = tokio::time::timeout(Duration::ZERO, watcher.grown()).await.is_ok();
    }

    async fn forward(&mut self) -> Result<Next, ledger::Error> {
        let after = self.dispatch.ledger.mark(&self.mark).await?;
        let page = self.dispatch.ledger.receipts(&self.organ, after, PAGE).await?;
        let Some(first) = page.first() else { return Ok(Next::Wait) };
        if first.sender_sequence != after + 1 {
            tracing::error!(organ = %self.organ, after, "receipts are missing from the log; they are not forwarded");
            return Ok(Next::After(QUEUE_RETRY_DELAY_MAX));
        }
        if let Word::Elsewhere(other) = self.turn.take().await? {
            return Ok(Next::After(other));
        }
        let (published, taken) = self.publish(&page).await?;
        if taken == 0 {
            self.retry_delay = (self.retry_delay * 2).min(QUEUE_RETRY_DELAY_MAX);
            return Ok(Next::After(self.retry_delay));
        }
        self.retry_delay = LEDGER_RETRY_DELAY;
        let to = after + taken as u64;
        // Whoever else forwarded meanwhile did so from the same mark on.
        let _moved = self.dispatch.ledger.advance_mark(&self.mark, after, to).await?.await?;
        Ok(if taken == published { Next::More } else { Next::After(self.retry_delay) })
    }

    /// Publishes what there is room for of a page, each status with its file; gives how many receipts that are, and how many of them, from the
    /// first on, the broker has.
    async fn publish(&mut self, page: &[Receipt]) -> Result<(usize, usize), ledger::Error> {
        let form = self.office.form_of(&self.organ);
        let (mut outgoing, mut ends, mut file_bytes) = (Vec::new(), Vec::new(), 0);
        for receipt in page {
            outgoing.push(self.written(receipt, "", form, &convert::receipt(receipt)));
            if let Some(file) = self.files.of(receipt).await? {
                file_bytes += file.file.len();
                outgoing.push(self.written(receipt, "-edxml", form, &file));
            }
            ends.push(outgoing.len());
            if file_bytes >= FILE_BYTES {
                break;
            }
        }
        let settled = self.office.publisher.publish(outgoing).await.await;
        if settled.iter().any(|settled| matches!(settled, Settled::Returned { .. })) {
            self.office.declare_receipts(&self.organ).await;
        }
        let confirmed = settled.iter().take_while(|settled| **settled == Settled::Confirmed).count();
        let taken = ends.iter().take_while(|end| **end <= confirmed).count();
        self.office.metrics.bridge_receipts.increment(taken as u64);
        let files = taken.checked_sub(1).map_or(0, |last| ends[last] - taken);
        self.office.metrics.bridge_status_files.increment(files as u64);
        Ok((ends.len(), taken))
    }

    fn written<M: Body>(&self, receipt: &Receipt, suffix: &str, form: Form, message: &M) -> Outgoing {
        let id = format!("{}-{}{suffix}", self.organ, receipt.sender_sequence);
        let properties = properties::<M>(form, id).with_correlation_id(receipt.message_id.to_string().into());
        self.office.to_receipts(&self.organ, properties, codec::write(message, form))
    }
}
