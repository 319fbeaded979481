//! An organ that watches the receipts of what it sent, from the first one on that this measurement has a part in.

use std::rc::Rc;

use super::Client;
use crate::bench::desk::{Desk, Organ, Tasks, now};
use crate::bench::error::Error;
use crate::proto::v1::WatchReceiptsRequest;

const CALL: &str = "WatchReceipts";

/// Passes over the receipts there are, and starts to watch those to come.
pub async fn start(
    desk: &Rc<Desk>,
    organ: &Rc<Organ>,
    mut client: Client,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let id = desk.plan.organs[organ.number].clone();
    let cursor = pass_over(organ, &id, &mut client).await?;
    let request = WatchReceiptsRequest { organ: String::new(), cursor, until_now: false };
    let watched = client.watch_receipts(request).await;
    let mut pages = watched.map_err(|status| Error::call(CALL, &id, status))?.into_inner();
    let (desk, organ) = (Rc::clone(desk), Rc::clone(organ));
    tasks.spawn_local(async move {
        loop {
            let page = tokio::select! {
                () = desk.stop.cancelled() => return Ok(()),
                page = pages.message() => page.map_err(|status| Error::call(CALL, &id, status))?,
            };
            let Some(page) = page else { return Err(Error::call(CALL, &id, "the stream ended")) };
            let at = now();
            let mut log = organ.sent.borrow_mut();
            let mut ended = 0;
            for receipt in &page.receipts {
                let ours = desk.plan.documents.parse(&receipt.message_id);
                let ordinal = ours.filter(|(sender, _)| *sender == organ.number).map(|(_, ordinal)| ordinal);
                ended += usize::from(log.receipt(receipt, ordinal, at));
            }
            organ.window.add_permits(ended);
            desk.ended(ended);
        }
    });
    Ok(())
}

async fn pass_over(organ: &Organ, id: &str, client: &mut Client) -> Result<String, Error> {
    let request = WatchReceiptsRequest { until_now: true, ..WatchReceiptsRequest::default() };
    let failed = |status: tonic::Status| Error::call(CALL, id, status);
    let mut pages = client.watch_receipts(request).await.map_err(failed)?.into_inner();
    let mut cursor = String::new();
    while let Some(page) = pages.message().await.map_err(failed)? {
        if let Some(last) = page.receipts.last() {
            organ.sent.borrow_mut().starts_after(last.sender_sequence);
            cursor = page.cursor;
        }
    }
    Ok(cursor)
}
