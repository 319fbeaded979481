//! An organ that follows the log of dossiers: as it grows, or from its start to its end.

use std::rc::Rc;

use super::DossierClient;
use crate::bench::desk::{Desk, Organ, Tasks, now};
use crate::bench::dossiers::{Follower, Script, Steps};
use crate::bench::error::Error;
use crate::proto::v1::{SubscribeRequest, SubscribeResponse};

const CALL: &str = "Subscribe";

/// One who has subscribed and checks what comes.
struct Reader {
    desk: Rc<Desk>,
    organ: Rc<Organ>,
    follower: Follower,
    /// The position of the last event; 0 before the first.
    position: u64,
}

/// Subscribes to what is shown from now on.
pub async fn start(
    desk: &Rc<Desk>,
    organ: &Rc<Organ>,
    mut client: DossierClient,
    steps: &Steps,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let id = desk.plan.organs[organ.number].clone();
    let request = SubscribeRequest { from_now: true, ..SubscribeRequest::default() };
    let subscribed = client.subscribe(request).await;
    let mut pages = subscribed.map_err(|status| Error::call(CALL, &id, status))?.into_inner();
    let mut reader = Reader::new(desk, organ, steps);
    tasks.spawn_local(async move {
        loop {
            let page = tokio::select! {
                () = reader.desk.stop.cancelled() => return Ok(()),
                page = pages.message() => page.map_err(|status| Error::call(CALL, &id, status))?,
            };
            let Some(page) = page else { return Err(Error::call(CALL, &id, "the stream ended")) };
            reader.take(page, true);
        }
    });
    Ok(())
}

/// When a phase begins, reads all there is from the start on.
pub fn read(desk: &Rc<Desk>, organ: &Rc<Organ>, mut client: DossierClient, steps: &Steps, tasks: &mut Tasks) {
    let id = desk.plan.organs[organ.number].clone();
    let mut reader = Reader::new(desk, organ, steps);
    let mut phases = desk.phases();
    tasks.spawn_local(async move {
        if phases.changed().await.is_err() {
            return Ok(());
        }
        let started = now();
        reader.organ.sent.borrow_mut().span = Some((started, started));
        let request = SubscribeRequest { until_now: true, ..SubscribeRequest::default() };
        let failed = |status| Error::call(CALL, &id, status);
        let mut pages = client.subscribe(request).await.map_err(failed)?.into_inner();
        while let Some(page) = pages.message().await.map_err(failed)? {
            reader.take(page, false);
        }
        reader.desk.sent_all(reader.position);
        Ok(())
    });
}

impl Reader {
    fn new(desk: &Rc<Desk>, organ: &Rc<Organ>, steps: &Steps) -> Self {
        let script = Script::new(steps.clone(), &desk.plan.organs);
        let (desk, organ) = (Rc::clone(desk), Rc::clone(organ));
        Self { desk, organ, follower: Follower::new(script), position: 0 }
    }

    fn take(&mut self, page: SubscribeResponse, is_live: bool) {
        let at = now();
        let received = &mut self.organ.received.borrow_mut().received;
        let mut latency = self.organ.end_latency.borrow_mut();
        for event in &page.events {
            if self.position > 0 && event.position != self.position + 1 {
                let (before, here) = (self.position, event.position);
                received.faults.add(|| format!("position {here} right after {before}"));
            }
            self.position = event.position;
            match &event.step {
                Some(step) if event.flags.is_empty() => {
                    let published = self.follower.see(step, received);
                    // Of what was read, only how many there are counts.
                    latency.record(if is_live { at.since(published) } else { std::time::Duration::ZERO });
                }
                _ => received.faults.add(|| format!("not a plain event: {event:?}")),
            }
        }
        let mut log = self.organ.sent.borrow_mut();
        log.span.get_or_insert((at, at)).1 = at;
        self.desk.ended(page.events.len());
    }
}
