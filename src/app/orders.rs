//! What the orders on the control socket do to this gateway.

use std::sync::Arc;

use super::Parts;
use crate::ops::control::{Draining, Orders};
use crate::redirect::Moved;

/// The orders of a gateway.
pub(super) fn of(parts: &Arc<Parts>, draining: Draining) -> Orders {
    let (reloaded, looked_at) = (Arc::clone(parts), Arc::clone(parts));
    Orders {
        draining,
        reload: Box::new(move || {
            let parts = Arc::clone(&reloaded);
            Box::pin(async move { reload(&parts).await })
        }),
        mailboxes: Box::new(move || {
            let parts = Arc::clone(&looked_at);
            Box::pin(async move { mailboxes(&parts).await })
        }),
    }
}

async fn reload(parts: &Parts) -> Result<Vec<String>, String> {
    let moved = parts.take_up().await.map_err(|error| error.to_string())?;
    let moved = moved.map_err(|error| error.to_string())?;
    let line = |Moved { organ, to, deliveries, in_flight }| {
        let to = to.map_or_else(|| "-".to_owned(), |to| to.to_string());
        format!("{organ} {to} {deliveries} {in_flight}")
    };
    Ok(moved.into_iter().map(line).collect())
}

async fn mailboxes(parts: &Parts) -> Result<Vec<String>, String> {
    let mailboxes = parts.dispatch.ledger.mailboxes().await.map_err(|error| error.to_string())?;
    let lines = mailboxes.into_iter().map(|mailbox| {
        let waiting = mailbox.ready + mailbox.waiting;
        format!("{} {waiting} {} {}", mailbox.organ, mailbox.dead, mailbox.in_flight)
    });
    Ok(lines.collect())
}
