//! Mail that waits for organs that have closed goes to those who took over; where nobody knows who that is, it ends with that cause.
//!
//! What is decided here is written by steps of the ledger, so that it happens once whoever else tries, on this node or another. What
//! is in flight when its recipient closes is left to whoever holds it, and follows when it comes back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::{StreamExt, TryStreamExt};
use time::Date;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY, Pile};
use crate::directory::{Ambiguity, Directory, Resolution, vietnam_day};
use crate::domain::delivery::{DeliveryId, Event, State};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Asserter;
use crate::ledger::{self, MailboxTally, StepRequest};

/// Deliveries moved in one step of the ledger.
const BATCH: usize = 512;
/// Closed organs whose mail is moved at a time: what they ask of the ledger shares its commits.
const MOVED_AT_ONCE: usize = 32;
/// Mailboxes emptied at a time.
const EMPTIED_AT_ONCE: usize = 16;
/// A mailbox that is not emptied by then is tried again later.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(30);
/// Until then what was being published has arrived.
const EMPTY_AGAIN_DELAY: Duration = Duration::from_secs(5);
/// How often it is looked whether another day has begun: the machine's clock may be set.
const DAY_LOOK_DELAY: Duration = Duration::from_secs(60);

/// What was done with the mail of one closed organ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The closed organ.
    pub organ: OrganId,
    /// Who took over; none where the mail went nowhere.
    pub to: Option<OrganId>,
    /// Deliveries redirected, or ended dead.
    pub deliveries: u64,
    /// Those in flight, which follow when they come back.
    pub in_flight: u64,
}

/// Moves the mail of closed organs.
pub struct Redirects {
    dispatch: Arc<Dispatch>,
    directory: Arc<ArcSwap<Directory>>,
    rule: Ambiguity,
    // One at a time moves, so that what was moved is counted once.
    moving: Mutex<()>,
    changed: Notify,
    // Mailboxes at the broker of which nothing is wanted any more.
    to_empty: Pile,
}

impl Redirects {
    /// Over a directory that may change.
    pub fn new(dispatch: Arc<Dispatch>, directory: Arc<ArcSwap<Directory>>, rule: Ambiguity) -> Self {
        let (moving, changed, to_empty) = (Mutex::default(), Notify::new(), Pile::default());
        Self { dispatch, directory, rule, moving, changed, to_empty }
    }

    /// The directory is another one.
    pub fn directory_changed(&self) {
        self.changed.notify_one();
    }

    /// Moves all mail of organs that are closed today. Gives those that had any.
    pub async fn sweep(&self) -> Result<Vec<Moved>, ledger::Error> {
        let _alone = self.moving.lock().await;
        let (directory, today) = (self.directory.load_full(), self.today());
        let closed = directory.organs().iter().filter(|organ| organ.is_closed_on(today));
        let reopened = self.dispatch.strays.close(closed.map(|organ| organ.id.clone()).collect());
        self.publish_again(&reopened).await?;
        let is_closed = |organ: &OrganId| directory.get(organ).is_some_and(|organ| organ.is_closed_on(today));
        let mailboxes = self.dispatch.ledger.mailboxes().await?;
        let left: Vec<_> = mailboxes.into_iter().filter(|mailbox| is_closed(&mailbox.organ)).collect();
        self.to_empty.add(left.iter().map(|mailbox| mailbox.organ.clone()));
        let move_one = async |MailboxTally { organ, in_flight, .. }: MailboxTally| {
            let (to, deliveries) = self.move_mail(&directory, today, &organ).await?;
            Ok::<_, ledger::Error>(Moved { organ, to, deliveries, in_flight })
        };
        let moving = futures_util::stream::iter(left).map(move_one).buffer_unordered(MOVED_AT_ONCE);
        let mut moved: Vec<Moved> = moving.try_collect().await?;
        moved.retain(|moved| moved.deliveries + moved.in_flight > 0);
        moved.sort_by(|a, b| a.organ.cmp(&b.organ));
        Ok(moved)
    }

    /// Works until told to stop: after each change of the directory, at the beginning of each day, and for what comes back.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let work = async { tokio::join!(self.move_on(), self.empty_mailboxes()) };
        tokio::select! {
            _ = work => {}
            () = stop.cancelled() => {}
        }
    }

    async fn move_on(&self) {
        let mut swept = None;
        loop {
            let today = self.today();
            if swept != Some(today) {
                match self.sweep().await {
                    Ok(moved) => {
                        tell(&moved);
                        swept = Some(today);
                    }
                    // The ledger has logged why; once it works again, so will this.
                    Err(_) => tokio::time::sleep(LEDGER_RETRY_DELAY).await,
                }
                continue;
            }
            tokio::select! {
                () = self.changed.notified() => swept = None,
                () = tokio::time::sleep(DAY_LOOK_DELAY) => {}
                organs = self.dispatch.strays.seen.take() => {
                    for organ in organs {
                        if self.follow(&organ).await.is_err() {
                            swept = None;
                            break;
                        }
                    }
                }
            }
        }
    }

    /// Moves what has come back for one organ.
    async fn follow(&self, organ: &OrganId) -> Result<(), ledger::Error> {
        let _alone = self.moving.lock().await;
        let (directory, today) = (self.directory.load_full(), self.today());
        if directory.get(organ).is_some_and(|organ| organ.is_closed_on(today)) {
            let (to, deliveries) = self.move_mail(&directory, today, organ).await?;
            tell(&[Moved { organ: organ.clone(), to, deliveries, in_flight: 0 }]);
        }
        Ok(())
    }

    async fn move_mail(
        &self,
        directory: &Directory,
        today: Date,
        organ: &OrganId,
    ) -> Result<(Option<OrganId>, u64), ledger::Error> {
        let resolution = directory.resolve(organ, today);
        let to = resolution.destination(self.rule).map(|organ| organ.id.clone());
        let event = match &to {
            Some(to) => Event::Redirect {
                to: to.clone(),
                legal_basis: resolution.legal_basis().to_owned(),
                acknowledge_by: self.dispatch.calendar.load().acknowledge_by(self.dispatch.clock.now()),
            },
            None => Event::Strand { reason: reason(organ, &resolution) },
        };
        let (mut after, mut moved) = (DeliveryId(0), 0);
        loop {
            let page = self.dispatch.ledger.unheld(organ, after, BATCH).await?;
            let Some((last, _)) = page.last().copied() else { return Ok((to, moved)) };
            // The dead have a new chance elsewhere; they cannot die again.
            let movable = page.iter().filter(|(_, state)| to.is_some() || *state != State::Dead);
            let requests = movable.map(|(delivery, _)| StepRequest {
                delivery: *delivery,
                recipient: Some(organ.clone()),
                event: event.clone(),
                at: self.dispatch.clock.now(),
                by: Asserter::Gateway,
            });
            let requests: Vec<_> = requests.collect();
            if !requests.is_empty() {
                let answers = self.dispatch.ledger.step(requests).await?.await?;
                // What was refused was taken or has ended meanwhile.
                moved += answers.iter().flatten().count() as u64;
            }
            if page.len() < BATCH {
                return Ok((to, moved));
            }
            after = last;
        }
    }

    /// What became ready while an organ counted as closed was published nowhere.
    async fn publish_again(&self, reopened: &[OrganId]) -> Result<(), ledger::Error> {
        for organ in reopened {
            self.dispatch.ledger.publish_again(Some(organ)).await?.await?;
        }
        if !reopened.is_empty() {
            self.dispatch.broker.look_again();
        }
        Ok(())
    }

    /// Takes from the mailboxes of closed organs what still lies there: pointers to deliveries that have gone on. Twice, because
    /// some may have been on their way; and until the broker answers.
    async fn empty_mailboxes(&self) {
        loop {
            let organs = self.to_empty.take().await;
            self.empty_all(&organs).await;
            tokio::time::sleep(EMPTY_AGAIN_DELAY).await;
            let left = self.empty_all(&organs).await;
            if !left.is_empty() {
                tracing::warn!(
                    mailboxes = left.len(),
                    "mailboxes of closed organs are not emptied yet; what is in them leads nowhere"
                );
                self.to_empty.add(left);
            }
        }
    }

    /// Gives those that could not be emptied.
    async fn empty_all(&self, organs: &BTreeSet<OrganId>) -> Vec<OrganId> {
        let empty = async |organ: &OrganId| {
            let emptied = tokio::time::timeout(EMPTY_TIMEOUT, self.empty(organ)).await;
            (!matches!(emptied, Ok(Ok(())))).then(|| organ.clone())
        };
        let emptied = futures_util::stream::iter(organs).map(empty).buffer_unordered(EMPTIED_AT_ONCE);
        emptied.filter_map(std::future::ready).collect().await
    }

    async fn empty(&self, organ: &OrganId) -> Result<(), ledger::Error> {
        let mut consumer = Arc::clone(&self.dispatch.broker).consume(organ);
        loop {
            let left = consumer.look(BATCH, u64::MAX).await?;
            if left.is_empty() {
                return Ok(());
            }
            left.iter().for_each(|ready| consumer.decided(ready.delivery));
        }
    }

    fn today(&self) -> Date {
        vietnam_day(self.dispatch.clock.now())
    }
}

fn reason(organ: &OrganId, resolution: &Resolution<'_>) -> String {
    let by = match resolution.legal_basis() {
        "" => String::new(),
        legal_basis => format!(" by {legal_basis}"),
    };
    match resolution {
        Resolution::Ambiguous { candidates, .. } => {
            let ids: Vec<_> = candidates.iter().map(|organ| organ.id.as_str()).collect();
            format!("{organ} is closed{by}; one of {} took over", ids.join(", "))
        }
        _ => format!("{organ} is closed{by}; no open organ took over"),
    }
}

fn tell(moved: &[Moved]) {
    for Moved { organ, to, deliveries, in_flight } in moved {
        match to {
            Some(to) => {
                tracing::info!(%organ, %to, deliveries, in_flight, "mail of a closed organ is redirected")
            }
            None => {
                tracing::warn!(%organ, deliveries, in_flight, "mail of a closed organ has no one to go to")
            }
        }
    }
}
