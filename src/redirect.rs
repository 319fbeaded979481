//! Mail that waits for organs that have closed goes to those who took over; where nobody knows who that is, it ends with that cause.
//!
//! What is decided here is written by steps of the ledger, so that it happens once whoever else tries, on this node or another. What
//! is in flight when its recipient closes is left to whoever holds it, and follows when it comes back.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::StreamExt;
use time::Date;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY, Pile};
use crate::directory::{Ambiguity, Directory, Resolution, vietnam_day};
use crate::domain::delivery::{DeliveryId, Event, State};
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Asserter;
use crate::ledger::{self, StepRequest};

/// Deliveries moved in one step of the ledger.
const BATCH: usize = 512;
/// Mailboxes emptied at a time.
const EMPTIED_AT_ONCE: usize = 16;
/// A broker that does not answer leaves pointers behind, which lead nowhere.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(10);
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
        self.dispatch.strays.close(closed.map(|organ| organ.id.clone()).collect());
        let is_closed = |organ: &OrganId| directory.get(organ).is_some_and(|organ| organ.is_closed_on(today));
        let mut moved = Vec::new();
        for mailbox in self.dispatch.ledger.mailboxes().await? {
            if is_closed(&mailbox.organ) {
                let in_flight = mailbox.in_flight;
                let (to, deliveries) = self.move_mail(&directory, today, &mailbox.organ).await?;
                self.to_empty.add([mailbox.organ.clone()]);
                moved.push(Moved { organ: mailbox.organ, to, deliveries, in_flight });
            }
        }
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
            Some(to) => Event::Redirect { to: to.clone(), legal_basis: resolution.legal_basis().to_owned() },
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

    /// Takes from the mailboxes of closed organs what still lies there: pointers to deliveries that have gone on.
    async fn empty_mailboxes(&self) {
        loop {
            let organs = futures_util::stream::iter(self.to_empty.take().await);
            let empty = async |organ| {
                if tokio::time::timeout(EMPTY_TIMEOUT, self.empty(&organ)).await.is_err() {
                    tracing::warn!(%organ, "the mailbox of a closed organ could not be emptied; what is left in it leads nowhere");
                }
            };
            organs.for_each_concurrent(EMPTIED_AT_ONCE, empty).await;
        }
    }

    async fn empty(&self, organ: &OrganId) {
        let mut consumer = Arc::clone(&self.dispatch.broker).consume(organ);
        while let Ok(left) = consumer.look(BATCH, u64::MAX).await
            && !left.is_empty()
        {
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
