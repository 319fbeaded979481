//! Settlements as callers write them.

use super::fields;
use crate::delivery::{SettleAnswer, Settlement, WrittenSettlement};
use crate::domain::delivery::{DeliveryId, Lease, Outcome, State};
use crate::domain::limits::{REASON_CHARS_MAX, SETTLEMENTS_MAX};
use crate::domain::refusal::{Reason, Refusal};
use crate::proto::{convert, v1};

/// Reads a batch; each settlement that cannot be understood is refused by itself, a batch that is none as a whole.
pub fn read(settlements: Vec<v1::Settlement>) -> Result<Vec<WrittenSettlement>, Refusal> {
    if settlements.is_empty() {
        return Err(fields::missing("settlements"));
    }
    if settlements.len() > SETTLEMENTS_MAX {
        return Err(Refusal::new(
            Reason::InvalidField,
            format!("{} settlements; at most {SETTLEMENTS_MAX} at a time", settlements.len()),
        )
        .field("settlements")
        .hint("send them in several messages"));
    }
    Ok(settlements.into_iter().map(|written| (written.delivery_id.clone(), read_one(written))).collect())
}

fn read_one(written: v1::Settlement) -> Result<Settlement, Refusal> {
    let delivery = parsed(&written.delivery_id, DeliveryId::parse, "delivery_id")?;
    let lease = parsed(&written.lease, Lease::parse, "lease")?;
    let outcome = outcome(written.outcome.ok_or_else(|| fields::missing("outcome"))?)?;
    Ok(Settlement { delivery, lease, outcome })
}

/// What became of a delivery, as a recipient writes it.
pub fn outcome(written: v1::settlement::Outcome) -> Result<Outcome, Refusal> {
    Ok(match written {
        v1::settlement::Outcome::Delivered(_) => Outcome::Delivered,
        v1::settlement::Outcome::Rejected(v1::Rejected { reason }) => {
            fields::required(&reason, REASON_CHARS_MAX, "rejected.reason")?;
            Outcome::Rejected { reason }
        }
        v1::settlement::Outcome::Deferred(v1::Deferred { reason, retry_time }) => {
            fields::required(&reason, REASON_CHARS_MAX, "deferred.reason")?;
            let time = |time| {
                convert::time_of(&time).ok_or_else(|| {
                    Refusal::new(Reason::InvalidField, "retry_time is not a time")
                        .field("deferred.retry_time")
                        .hint("nanos are 0 to 999,999,999")
                })
            };
            Outcome::Deferred { reason, retry_at: retry_time.map(time).transpose()? }
        }
    })
}

/// An id the gateway gave.
pub(super) fn parsed<T>(text: &str, parse: fn(&str) -> Option<T>, path: &str) -> Result<T, Refusal> {
    if text.is_empty() {
        return Err(fields::missing(path));
    }
    parse(text).ok_or_else(|| {
        Refusal::new(Reason::InvalidField, format!("not a {path} this gateway gave"))
            .field(path)
            .hint("give it back as it came with the delivery")
    })
}

/// The answers as callers read them.
pub fn results(answers: Vec<SettleAnswer>) -> Vec<v1::SettleResult> {
    let result = |(delivery_id, result): SettleAnswer| {
        log(&delivery_id, &result);
        match result {
            Ok(state) => v1::SettleResult { delivery_id, state: convert::state(state).into(), refusal: None },
            Err(refusal) => {
                v1::SettleResult { delivery_id, state: 0, refusal: Some(convert::refusal(&refusal)) }
            }
        }
    };
    answers.into_iter().map(result).collect()
}

/// Which delivery, and what became of it; never the recipient's words. An id that cannot be one is not repeated.
fn log(id: &str, result: &Result<State, Refusal>) {
    let delivery = DeliveryId::parse(id).map(tracing::field::display);
    match result {
        Ok(state) => tracing::debug!(delivery, state = state.as_str(), "settled"),
        Err(refusal) => tracing::debug!(delivery, reason = refusal.reason().as_str(), "not settled"),
    }
}
