//! An organ that collects: checks what comes and settles it, batch by batch.

use std::rc::Rc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Client;
use crate::bench::desk::{Desk, Organ, Tasks};
use crate::bench::error::Error;
use crate::bench::received::Arrival;
use crate::proto::v1::{self, CollectRequest, collect_request::Request, settlement::Outcome};

/// The call, in errors.
pub const CALL: &str = "Collect";

/// Opens the collector and starts to take deliveries.
pub async fn start(
    desk: &Rc<Desk>,
    organ: &Rc<Organ>,
    client: Client,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let id = desk.plan.organs[organ.number].clone();
    let (out, mut inbound) = open(desk, &id, client, None).await?;
    let (desk, organ) = (Rc::clone(desk), Rc::clone(organ));
    tasks.spawn_local(async move {
        loop {
            let message = tokio::select! {
                () = desk.stop.cancelled() => return Ok(()),
                message = inbound.message() => message.map_err(|status| Error::call(CALL, &id, status))?,
            };
            let Some(message) = message else { return Err(Error::call(CALL, &id, "the stream ended")) };
            for result in message.settled {
                if let Some(refusal) = result.refusal {
                    let received = &mut organ.received.borrow_mut().received;
                    received.unsettled += 1;
                    received.faults.add(|| format!("a settlement was refused: {}", refusal.message));
                }
            }
            let settlements: Vec<_> =
                message.deliveries.into_iter().map(|delivery| take(&desk, &organ, delivery)).collect();
            if !settlements.is_empty() && out.send(settle(settlements)).await.is_err() {
                return Err(Error::call(CALL, &id, "the stream ended"));
            }
        }
    });
    Ok(())
}

/// Opens a collector. There is always room for its settlements: each message of them ends a delivery of its window.
pub async fn open(
    desk: &Desk,
    organ: &str,
    mut client: Client,
    lease: Option<prost_types::Duration>,
) -> Result<(mpsc::Sender<CollectRequest>, tonic::Streaming<v1::CollectResponse>), Error> {
    let (out, requests) = mpsc::channel(desk.plan.window + 1);
    let window = u32::try_from(desk.plan.window).unwrap_or(u32::MAX);
    let open = v1::CollectOpen { organ: organ.to_owned(), window, lease };
    let gone = |reason: &str| Error::call(CALL, organ, reason);
    let first = CollectRequest { request: Some(Request::Open(open)) };
    out.send(first).await.map_err(|_| gone("the stream ended"))?;
    let opened = client.collect(ReceiverStream::new(requests)).await;
    Ok((out, opened.map_err(|status| gone(&status.to_string()))?.into_inner()))
}

/// A message of settlements.
pub fn settle(settlements: Vec<v1::Settlement>) -> CollectRequest {
    CollectRequest { request: Some(Request::Settle(v1::CollectSettle { settlements })) }
}

/// The settlement of a delivery that was taken over.
pub fn delivered(delivery_id: String, lease: String) -> v1::Settlement {
    v1::Settlement { delivery_id, lease, outcome: Some(Outcome::Delivered(v1::Delivered {})) }
}

fn take(desk: &Desk, organ: &Organ, delivery: v1::Delivery) -> v1::Settlement {
    let envelope = delivery.envelope.unwrap_or_default();
    let arrival = Arrival { id: &envelope.message_id, attempt: delivery.attempt, payload: &delivery.payload };
    let ours = organ.received.borrow_mut().arrived(&desk.plan.documents, arrival);
    let mut settlement = delivered(delivery.delivery_id, delivery.lease);
    if !ours {
        // Somebody's real document: it has to wait for its real receiver.
        let reason = "a measurement is under way at this mailbox".to_owned();
        settlement.outcome = Some(Outcome::Deferred(v1::Deferred { reason, retry_time: None }));
    }
    settlement
}
