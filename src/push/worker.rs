//! Serves one link: takes from the mailbox what there is room for, brings it, and settles by what the endpoint says.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lines::Lines;
use super::{Inbox, MAKE_WAY_TIMEOUT};
use crate::broker::Consumer;
use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY, Offered, Serving};
use crate::domain::delivery::{DeliveryId, Event, Hold, Lease, Outcome, Then};
use crate::domain::limits::LEASE_S_MAX;
use crate::domain::link::{LinkRecord, PushLink, Server};
use crate::domain::organ_id::OrganId;
use crate::domain::push::{Fate, Link, Policy, Room, Said, Trouble};
use crate::domain::receipt::{Asserter, Cause};
use crate::ledger::{self, LinkChange, Ready, StepRequest};
use crate::metrics::PushOutcome;
use crate::proto::convert;

/// How long a delivery is held. It is held by this process, which gives it back when it ends; calls have deadlines of their own.
const LEASE: Duration = Duration::from_secs(LEASE_S_MAX);
/// Steps waiting for their commit; beyond it nothing more is taken.
const SETTLING_MAX: usize = 64;

type Offering = BoxFuture<'static, (Vec<Ready>, Result<Vec<Offered>, ledger::Error>)>;
type Call = BoxFuture<'static, (Offered, Said, Duration)>;

/// The worker of one link.
pub struct Worker {
    dispatch: Arc<Dispatch>,
    terms: PushLink,
    by: OrganId,
    inbox: Arc<dyn Inbox>,
    policy: Policy,
    window_bytes: u64,
    link: Link,
    lines: Lines,
    held_bytes: u64,
    consumer: Box<dyn Consumer>,
    serving: Serving,
    offering: Option<Offering>,
    calls: FuturesUnordered<Call>,
    /// What is on its way, to be given back where it must be given up.
    under_way: Vec<(DeliveryId, Lease)>,
    settling: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Worker {
    /// A worker of a link as it stands.
    pub fn new(
        dispatch: Arc<Dispatch>,
        LinkRecord { link: terms, outage }: LinkRecord,
        inbox: Arc<dyn Inbox>,
        policy: Policy,
        window_bytes: u64,
    ) -> Self {
        let by = match &terms.server {
            Server::Organ(organ) => organ.clone(),
            Server::Certificate(_) => terms.organ.clone(),
        };
        Self {
            link: Link::new(terms.window, outage),
            consumer: Arc::clone(&dispatch.broker).consume(&terms.organ),
            serving: dispatch.served.serve(&terms.organ),
            dispatch,
            terms,
            by,
            inbox,
            policy,
            window_bytes,
            lines: Lines::default(),
            held_bytes: 0,
            offering: None,
            calls: FuturesUnordered::new(),
            under_way: Vec::new(),
            settling: FuturesUnordered::new(),
        }
    }

    /// Serves until told to stop; what is on its way then gets a little time to arrive.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if self.turn(&stop).await.is_err() {
                // The ledger has logged why. What was taken and not decided is taken again.
                tokio::time::sleep(LEDGER_RETRY_DELAY).await;
                self.consumer = Arc::clone(&self.dispatch.broker).consume(&self.terms.organ);
            }
        }
        self.close().await;
    }

    async fn turn(&mut self, stop: &CancellationToken) -> Result<(), ledger::Error> {
        let now = self.dispatch.clock.now();
        let room = self.link.room(now);
        let room_bytes = self.window_bytes.saturating_sub(self.held_bytes);
        let (count, out) = match room {
            Room::For(count) if room_bytes > 0 => (count, None),
            Room::For(_) | Room::Full => (0, None),
            Room::NotBefore(time) => (0, Some(time.since(now).max(Duration::from_millis(1)))),
        };
        self.serving.full(count == 0 && out.is_none());
        self.serving.out(self.link.outage().is_some());
        // A probe comes after what was given back, so that the oldest is tried first.
        let settling_max = if self.link.outage().is_some() { 1 } else { SETTLING_MAX };
        let takes = count > 0 && self.offering.is_none() && self.settling.len() < settling_max;
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(out.unwrap_or_default()), if out.is_some() => {}
            Some(()) = self.settling.next() => {}
            Some((offered, said, took)) = self.calls.next() => self.called(offered, said, took).await,
            Some((taken, offered)) = OptionFuture::from(self.offering.as_mut()) => {
                self.offering = None;
                self.offered(&taken, offered)?;
            }
            taken = self.consumer.take(count, room_bytes), if takes => self.offer(taken?),
        }
        Ok(())
    }

    fn offer(&mut self, taken: Vec<Ready>) {
        self.link.begin(taken.len());
        let (dispatch, organ) = (Arc::clone(&self.dispatch), self.terms.organ.clone());
        self.offering = Some(Box::pin(async move {
            let offered = dispatch.offer(&organ, &taken, Hold::Stream, LEASE).await;
            (taken, offered)
        }));
    }

    fn offered(
        &mut self,
        taken: &[Ready],
        offered: Result<Vec<Offered>, ledger::Error>,
    ) -> Result<(), ledger::Error> {
        self.link.end(taken.len() - offered.as_ref().map_or(0, Vec::len));
        let offered = offered?;
        taken.iter().for_each(|ready| self.consumer.decided(ready.delivery));
        if self.link.outage().is_none() {
            self.serving.moved(taken.len());
        }
        for offered in offered {
            self.held_bytes += offered.message.payload.len() as u64;
            self.under_way.push((offered.stepped.delivery, offered.lease()));
            if let Some(next) = self.lines.come(offered) {
                self.call(next);
            }
        }
        Ok(())
    }

    fn call(&self, offered: Offered) {
        let calling = self.inbox.deliver(convert::delivery(&offered.stepped, &offered.message));
        let begun = Instant::now();
        self.calls.push(Box::pin(async move {
            let said = calling.await;
            (offered, said, begun.elapsed())
        }));
    }

    async fn called(&mut self, offered: Offered, said: Said, took: Duration) {
        let metrics = &self.dispatch.metrics;
        metrics.pushes.of(outcome(&said)).increment(1);
        metrics.push_seconds.record(took.as_secs_f64());
        let verdict = self.link.hear(said, self.dispatch.clock.now(), &self.policy, fastrand::f64());
        self.settle(&offered, verdict.fate);
        if verdict.link_changed {
            self.note().await;
        }
        if let Some(outage) = self.link.outage().cloned() {
            // Nothing is brought now: what waits, and was not brought, keeps its place in the mailbox.
            for waiting in self.lines.clear() {
                let then = Then::Spare { retry_at: outage.retry_at, unsent: true };
                let fate = Fate::NotTaken { cause: outage.cause, reason: outage.reason.clone(), then };
                self.settle(&waiting, fate);
            }
        }
        if let Some(next) = self.lines.next(&offered.message.sender) {
            self.call(next);
        }
    }

    /// Has the ledger record what became of a delivery.
    fn settle(&mut self, offered: &Offered, fate: Fate) {
        self.link.end(1);
        self.held_bytes = self.held_bytes.saturating_sub(offered.message.payload.len() as u64);
        self.under_way.retain(|(delivery, _)| *delivery != offered.stepped.delivery);
        if matches!(fate, Fate::Settled(_)) {
            self.serving.moved(1);
        }
        let lease = offered.lease();
        let (event, by) = match fate {
            Fate::Settled(outcome) => (Event::Settle { lease, outcome }, Asserter::Organ(self.by.clone())),
            Fate::NotTaken { cause, reason, then } => {
                (Event::NotTaken { lease, cause, reason, then }, Asserter::Gateway)
            }
        };
        let (delivery, recipient) = (offered.stepped.delivery, Some(self.terms.organ.clone()));
        let request = StepRequest { delivery, recipient, event, at: self.dispatch.clock.now(), by };
        self.settling.push(Box::pin(settled(Arc::clone(&self.dispatch), request)));
    }

    /// Keeps how the endpoint does, for everybody and for the next start.
    async fn note(&mut self) {
        let outage = self.link.outage().cloned();
        let organ = &self.terms.organ;
        match &outage {
            Some(outage) => tracing::warn!(
                %organ,
                cause = ?outage.cause,
                failures = outage.failures,
                again_in_ms = outage.retry_at.since(self.dispatch.clock.now()).as_millis() as u64,
                "the endpoint of a push link takes nothing"
            ),
            None => tracing::info!(%organ, "the endpoint of a push link takes what it is brought again"),
        }
        let change = LinkChange::Note { organ: organ.clone(), set_at: self.terms.set_at, outage };
        // Handed over in order; should it fail, only what people see of the link is behind.
        if let Ok(pending) = self.dispatch.ledger.change_link(change).await {
            self.settling.push(Box::pin(async move {
                let _failed = pending.await.is_err();
            }));
        }
    }

    /// Lets what is on its way arrive, for a while, and gives back the rest.
    async fn close(mut self) {
        let mut unsent = self.lines.clear();
        if let Some(offering) = self.offering.take()
            && let (taken, Ok(offered)) = offering.await
        {
            taken.iter().for_each(|ready| self.consumer.decided(ready.delivery));
            unsent.extend(offered);
        }
        let retry_at = self.dispatch.clock.now();
        for offered in unsent {
            let then = Then::Spare { retry_at, unsent: true };
            let (cause, reason) = (Cause::Disconnected, String::new());
            self.settle(&offered, Fate::NotTaken { cause, reason, then });
        }
        let deadline = Instant::now() + MAKE_WAY_TIMEOUT;
        while let Ok(Some((offered, said, _))) = tokio::time::timeout_at(deadline, self.calls.next()).await {
            let verdict = self.link.hear(said, self.dispatch.clock.now(), &self.policy, fastrand::f64());
            self.settle(&offered, verdict.fate);
        }
        let at = self.dispatch.clock.now();
        let left = std::mem::take(&mut self.under_way).into_iter().map(|(delivery, lease)| StepRequest {
            delivery,
            recipient: None,
            event: Event::Dropped { lease, cause: Cause::Disconnected },
            at,
            by: Asserter::Gateway,
        });
        let left: Vec<_> = left.collect();
        while self.settling.next().await.is_some() {}
        if !left.is_empty()
            && let Ok(pending) = self.dispatch.ledger.step(left).await
        {
            // Should the ledger fail here, it finds them when it is opened again.
            let _failed = pending.await.is_err();
        }
    }
}

/// Takes a step, however often the ledger fails.
async fn settled(dispatch: Arc<Dispatch>, request: StepRequest) {
    loop {
        let answered = async { dispatch.ledger.step(vec![request.clone()]).await?.await }.await;
        match answered {
            Ok(answers) => {
                for refused in answers.into_iter().filter_map(Result::err) {
                    tracing::debug!(delivery = %request.delivery, %refused, "what an endpoint said was not recorded");
                }
                return;
            }
            Err(ledger::Error::Closed) => return,
            Err(ledger::Error::Failed(_)) => tokio::time::sleep(LEDGER_RETRY_DELAY).await,
        }
    }
}

fn outcome(said: &Said) -> PushOutcome {
    match said {
        Said::Settled(Outcome::Delivered) => PushOutcome::Delivered,
        Said::Settled(Outcome::Rejected { .. }) => PushOutcome::Rejected,
        Said::Settled(Outcome::Deferred { .. }) => PushOutcome::Deferred,
        Said::Refused(_) => PushOutcome::Refused,
        Said::Failed(Trouble { cause: Cause::PushTimedOut, .. }) => PushOutcome::TimedOut,
        Said::Failed(_) => PushOutcome::Failed,
        Said::Away(_) | Said::Full(_) => PushOutcome::Unreachable,
        Said::Shut(_) => PushOutcome::LinkRefused,
    }
}

#[cfg(test)]
mod tests;
