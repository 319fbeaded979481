//! Following the log: from a place on, then as it grows; and saying how far one is.

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Dossiers;
use super::shares::Taken;
use super::wanted::{self, Wanted};
use crate::api::Api;
use crate::api::caller::{Caller, Speaker};
use crate::api::cursor::{self, Log};
use crate::api::streams::OpenStream;
use crate::domain::limits::{CONSUMERS_PER_ORGAN_MAX, DOSSIER_EVENTS_PAGE_MAX};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::dossiers::{Advanced, Ahead, Consumer, Enrolment, Place, Share, Shown, TooManyConsumers};
use crate::intake::sight::Sight;
use crate::intake::{fields, ledger_failed};
use crate::proto::{convert, v1};

/// Responses on their way to the connection.
const OUT_MAX: usize = 2;
/// Bytes of events in one response, beyond which it takes no further one: well below what clients take by default.
const RESPONSE_BYTES_MAX: usize = 1024 * 1024;
/// After so many events that the filter left out, the cursor alone is sent.
const SKIPPED_MAX: usize = 10_000;

type Responses = BoxStream<'static, Result<v1::SubscribeResponse, Status>>;

impl Dossiers {
    /// What an organ may see.
    pub(super) fn sight(&self, organ: &OrganId) -> Sight {
        let (directory, rule) = (&self.api.directory, self.api.limits.ambiguity);
        Sight::of(organ, &self.parts.grants, directory, self.api.today(), rule)
    }

    /// The events an organ wants and may see.
    pub async fn follow(&self, caller: Caller, request: v1::SubscribeRequest) -> Result<Responses, Refusal> {
        let Speaker { by, organ } = self.api.speaker(caller, &request.organ, "organ")?;
        let consumer =
            request.consumer.clone().map(|written| wanted::consumer(&organ, written)).transpose()?;
        let share = consumer.as_ref().map(|(_, share)| *share);
        let wanted = Wanted::read(request.filter.clone().unwrap_or_default(), share)?;
        let mut sight = self.sight(&organ);
        wanted.at_or_below.iter().try_for_each(|top| sight.check_some(top, "filter.at_or_below"))?;
        let open = self.api.streams.open(&by)?;
        let mut after = self.start(&request).await?;
        if let Some((consumer, share)) = &consumer {
            let place = self.enrol(consumer, *share, after, &request).await?;
            after = if request.cursor.is_empty() { place } else { after };
        }
        let until = match request.until_now {
            true => Some(self.parts.tail.log().head().await.map_err(|error| ledger_failed(&error))?),
            false => None,
        };
        let taken = consumer.map(|(consumer, share)| self.shares.take(consumer, share));
        let (out, responses) = mpsc::channel(OUT_MAX);
        let follower = Follower {
            dossiers: self.clone(),
            wanted,
            sight,
            after,
            sent: after,
            until,
            taken,
            out,
            _open: open,
        };
        self.api.tasks.spawn(follower.run());
        Ok(ReceiverStream::new(responses).boxed())
    }

    /// Where a consumer stands: from its first subscription on, whatever it has committed since.
    async fn enrol(
        &self,
        consumer: &Consumer,
        share: Share,
        start: u64,
        request: &v1::SubscribeRequest,
    ) -> Result<u64, Refusal> {
        let filter = request.filter.as_ref().map_or_else(Vec::new, Message::encode_to_vec).into();
        let enrolment = Enrolment { consumer: consumer.clone(), share, start, filter };
        let failed = |error| ledger_failed(&error);
        let enrolled = self.parts.tail.log().enrol(enrolment).await.map_err(failed)?.await.map_err(failed)?;
        enrolled.map_err(|TooManyConsumers| {
            let message = format!("{} has {CONSUMERS_PER_ORGAN_MAX} consumers", consumer.organ);
            Refusal::new(Reason::TooManyConsumers, message)
                .field("consumer.consumer")
                .hint("DeleteConsumer forgets one that is not used any more")
        })
    }

    /// After which position a subscription begins that has no place yet.
    async fn start(&self, request: &v1::SubscribeRequest) -> Result<u64, Refusal> {
        let failed = |error| ledger_failed(&error);
        let log = self.parts.tail.log();
        if !request.cursor.is_empty() {
            return self.position(&request.cursor).await;
        }
        match (&request.from_time, request.from_now) {
            (Some(time), false) => {
                let time = convert::time_of(time).ok_or_else(|| {
                    Refusal::new(Reason::InvalidField, "not a time")
                        .field("from_time")
                        .hint("seconds and nanos of UTC")
                })?;
                log.position_at(time).await.map_err(failed)
            }
            (Some(_), true) => {
                Err(Refusal::new(Reason::InvalidField, "both from_time and from_now are given")
                    .field("from_now")
                    .hint("give one of them"))
            }
            (None, true) => log.head().await.map_err(failed),
            (None, false) => Ok(0),
        }
    }

    /// The position of a cursor. It has to be one there is.
    async fn position(&self, cursor: &str) -> Result<u64, Refusal> {
        let position = cursor::read_number(Log::Dossiers, "", cursor, "cursor")?;
        let position = position.ok_or_else(|| fields::missing("cursor"))?;
        if position <= self.parts.tail.head() {
            return Ok(position);
        }
        let head = self.parts.tail.log().head().await.map_err(|error| ledger_failed(&error))?;
        if position <= head { Ok(position) } else { Err(cursor::invalid("cursor")) }
    }

    /// A consumer is done with all up to a cursor.
    pub async fn advance(
        &self,
        caller: Caller,
        request: v1::CommitCursorRequest,
    ) -> Result<v1::CommitCursorResponse, Refusal> {
        let Speaker { organ, .. } = self.api.speaker(caller, &request.organ, "organ")?;
        let written = request.consumer.ok_or_else(|| fields::missing("consumer"))?;
        let (consumer, share) = wanted::consumer(&organ, written)?;
        let position = self.position(&request.cursor).await?;
        let failed = |error| ledger_failed(&error);
        let place = Place { consumer, share, position };
        let advanced = self.parts.tail.log().advance(place).await.map_err(failed)?.await.map_err(failed)?;
        match advanced {
            Advanced::Done => Ok(v1::CommitCursorResponse {}),
            Advanced::Unknown => {
                Err(Refusal::new(Reason::ConsumerNotFound, "the organ has no consumer of this name")
                    .field("consumer.consumer")
                    .hint("a consumer is known from its first subscription on"))
            }
            Advanced::Shares(count) => Err(Refusal::new(
                Reason::ShareTakenOver,
                format!("the consumer's dossiers are divided into {count} shares now"),
            )
            .field("consumer.shares")
            .hint("subscribe again with the shares there are now")),
        }
    }
}

/// One who follows. Reads no faster than its connection takes.
struct Follower {
    dossiers: Dossiers,
    wanted: Wanted,
    sight: Sight,
    after: u64,
    /// The cursor it was told last.
    sent: u64,
    /// The end of the log when it began, where that is to be its end; this node's tail may not be there yet.
    until: Option<u64>,
    taken: Option<Taken>,
    out: mpsc::Sender<Result<v1::SubscribeResponse, Status>>,
    _open: OpenStream,
}

impl Follower {
    async fn run(mut self) {
        let subscribers = self.dossiers.api.dispatch.metrics.dossier_subscribers.clone();
        subscribers.increment(1.0);
        if let Err(refusal) = self.serve().await {
            let status = self.dossiers.api.refuse(&refusal);
            let _gone = self.out.send(Err(status)).await.is_err();
        }
        subscribers.decrement(1.0);
    }

    /// Until nobody reads any more, or all was sent that was asked for.
    async fn serve(&mut self) -> Result<(), Refusal> {
        let tail = Arc::clone(&self.dossiers.parts.tail);
        let (stop, lost) =
            (self.dossiers.api.stop.clone(), self.taken.as_ref().map(|taken| taken.lost.clone()));
        let taken_over = async {
            match &lost {
                Some(lost) => lost.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(taken_over);
        // Watched before it is read, so that nothing falls in between.
        let mut head = tail.watch();
        let mut pages = Ahead::new(tail, DOSSIER_EVENTS_PAGE_MAX);
        loop {
            head.mark_unchanged();
            self.sight.refresh(self.dossiers.api.today());
            let page = pages.after(self.after).await.map_err(|error| ledger_failed(&error))?;
            let is_end = page.is_empty();
            let response = self.take(&page);
            if is_end && self.until.is_some_and(|until| until <= self.after) && self.sent == self.after {
                return Ok(());
            }
            let next = async {
                match response {
                    Some(response) => self.out.send(Ok(response)).await.is_ok(),
                    None if !is_end => true,
                    None => tokio::select! {
                        changed = head.changed() => changed.is_ok(),
                        () = self.out.closed() => false,
                    },
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Api::shutting_down()),
                () = &mut taken_over => return Err(taken_over_refusal()),
                goes_on = next => if !goes_on { return Ok(()) },
            }
        }
    }

    /// What of a page is to be sent, if anything; goes on behind it.
    fn take(&mut self, page: &[Arc<Shown>]) -> Option<v1::SubscribeResponse> {
        let (mut framed, mut bytes) = (Vec::new(), 0);
        for event in page {
            if bytes >= RESPONSE_BYTES_MAX {
                break;
            }
            self.after = event.position;
            if self.wanted.has(event, &mut self.sight) {
                bytes += event.frame.len();
                framed.push(event.frame.clone());
            }
        }
        let skipped = usize::try_from(self.after - self.sent).unwrap_or(usize::MAX);
        let is_last = page.is_empty() && self.until.is_some() && skipped > 0;
        if framed.is_empty() && skipped < SKIPPED_MAX && !is_last {
            return None;
        }
        self.sent = self.after;
        self.dossiers.api.dispatch.metrics.dossier_events_sent.increment(framed.len() as u64);
        let cursor = cursor::write(Log::Dossiers, "", self.after);
        Some(v1::SubscribeResponse { framed, cursor, ..v1::SubscribeResponse::default() })
    }
}

fn taken_over_refusal() -> Refusal {
    Refusal::new(Reason::ShareTakenOver, "another connection serves this share of the consumer now")
        .hint("give each connection of a consumer a share of its own")
}
