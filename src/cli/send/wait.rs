//! `truc send --wait`: follows one message to the end of all its deliveries.
//!
//! By `Track`, not by `WatchReceipts`: that one tells of everything the organ ever sent, this is about one message.

use std::time::Duration;

use crate::cli::exit::Exit;
use crate::cli::out::Out;
use crate::cli::tables::{self, Rows};
use crate::cli::words::{self, Word};
use crate::cli::{json, times};
use crate::client::Agency;
use crate::proto::v1;

/// Between two looks when something has just happened, and when nothing has for long.
const LOOK_DELAY_MIN: Duration = Duration::from_millis(100);
const LOOK_DELAY_MAX: Duration = Duration::from_secs(3);

const COLUMNS: [(Word, u16); 5] =
    [(Word::Sequence, 4), (Word::Time, 24), (Word::Event, 22), (Word::Organs, 12), (Word::Reason, 10)];

/// Shows the receipts as they come, until every delivery has ended; fails unless all were delivered.
pub async fn for_the_end(agency: &Agency, acceptance: &v1::Acceptance, out: &mut Out) -> Result<(), Exit> {
    let receipt = acceptance.receipt.clone().unwrap_or_default();
    let request = v1::TrackRequest { sender: receipt.sender, message_id: receipt.message_id };
    let mut rows = Rows::new(&COLUMNS);
    let (mut shown, mut delay) = (0, LOOK_DELAY_MIN);
    let statuses = loop {
        let story = agency.track(request.clone()).await.map_err(Exit::failed)?;
        for receipt in story.receipts.iter().filter(|receipt| receipt.message_sequence > shown) {
            show(receipt, &mut rows, out)?;
            delay = LOOK_DELAY_MIN;
        }
        shown = story.receipts.last().map_or(shown, |last| last.message_sequence);
        if story.deliveries.iter().all(|status| is_over(status.state())) {
            break story.deliveries;
        }
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(LOOK_DELAY_MAX);
    };
    for status in &statuses {
        out.object(&json::delivery_status(status))?;
    }
    out.text(tables::deliveries(out.lang(), &statuses))?;
    let failed = statuses.iter().filter(|status| is_failed(status.state()));
    let failed: Vec<&str> = failed.map(|status| status.recipient.as_str()).collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Exit::Failed(format!("not delivered to {}", failed.join(", ")))),
    }
}

fn show(receipt: &v1::Receipt, rows: &mut Rows, out: &mut Out) -> Result<(), Exit> {
    out.object(&json::receipt(receipt))?;
    let lang = out.lang();
    let row = vec![
        receipt.message_sequence.to_string(),
        times::short(receipt.time.as_ref()),
        words::kind(receipt.kind()).text(lang).to_owned(),
        tables::organs(receipt),
        tables::reason(lang, receipt),
    ];
    rows.write(out, row)
}

/// Over, and not with the recipient. In the place of one that was redirected there is another.
fn is_failed(state: v1::DeliveryState) -> bool {
    !matches!(state, v1::DeliveryState::Delivered | v1::DeliveryState::Redirected)
}

/// Ended, or waiting for a person, which is no end to wait for.
fn is_over(state: v1::DeliveryState) -> bool {
    match state {
        v1::DeliveryState::Delivered
        | v1::DeliveryState::Rejected
        | v1::DeliveryState::Expired
        | v1::DeliveryState::Cancelled
        | v1::DeliveryState::Redirected
        | v1::DeliveryState::Dead => true,
        v1::DeliveryState::Unspecified
        | v1::DeliveryState::Queued
        | v1::DeliveryState::InFlight
        | v1::DeliveryState::Waiting => false,
    }
}
