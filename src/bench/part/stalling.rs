//! Organs that are a burden: connected, with a full window, and settling nothing or hardly anything.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Client;
use super::collecting::{CALL, delivered, open, settle};
use crate::bench::desk::{Desk, Tasks};
use crate::bench::error::Error;

/// What a collector that settles nothing lets run out again and again: the shortest lease there is.
const STALLED_LEASE_S: i64 = 5;
/// Between two settlements of the slow one.
const SLOW_PAUSE: Duration = Duration::from_millis(50);

/// Opens the collector of a burden.
pub async fn start(
    desk: &Rc<Desk>,
    number: usize,
    client: Client,
    slow: bool,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let id = desk.plan.organs[number].clone();
    let lease = (!slow).then_some(prost_types::Duration { seconds: STALLED_LEASE_S, nanos: 0 });
    let (out, mut inbound) = open(desk, &id, client, lease).await?;
    let desk = Rc::clone(desk);
    tasks.spawn_local(async move {
        let mut held = VecDeque::new();
        let mut pause = tokio::time::interval(SLOW_PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = desk.stop.cancelled() => return Ok(()),
                message = inbound.message() => {
                    let message = message.map_err(|status| Error::call(CALL, &id, status))?;
                    let Some(message) = message else { return Err(Error::call(CALL, &id, "the stream ended")) };
                    desk.ended(message.deliveries.len());
                    held.extend(message.deliveries.into_iter().map(|d| (d.delivery_id, d.lease)));
                }
                _ = pause.tick(), if slow && !held.is_empty() => {
                    let settlements = held.pop_front().map(|(id, lease)| delivered(id, lease));
                    if out.send(settle(settlements.into_iter().collect())).await.is_err() {
                        return Err(Error::call(CALL, &id, "the stream ended"));
                    }
                }
            }
        }
    });
    Ok(())
}
