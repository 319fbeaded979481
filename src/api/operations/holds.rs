//! Holds: set, released, listed.

use crate::api::Api;
use crate::api::cursor::{self, Log};
use crate::api::history::page_size;
use crate::domain::limits::{HOLDS_PAGE_DEFAULT, HOLDS_PAGE_MAX, REASON_CHARS_MAX};
use crate::domain::message::MessageId;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::retention::{Held, HoldId};
use crate::intake::{fields, ledger_failed};
use crate::ledger::{HoldError, HoldRequest, ReleaseRequest};
use crate::proto::{convert, v1};

impl Api {
    /// Sets a hold.
    pub async fn set_hold(
        &self,
        operator: String,
        request: v1::SetHoldRequest,
    ) -> Result<v1::SetHoldResponse, Refusal> {
        fields::required(&request.reason, REASON_CHARS_MAX, "reason")?;
        let held = match request.held {
            None => return Err(fields::missing("held")),
            Some(v1::set_hold_request::Held::Organ(organ)) => self.held_organ(&organ)?,
            Some(v1::set_hold_request::Held::Message(message)) => held_message(&message)?,
        };
        let at = self.dispatch.clock.now();
        let request = HoldRequest { held, reason: request.reason, by: operator, at };
        let pending = self.dispatch.ledger.hold(request).await.map_err(|error| ledger_failed(&error))?;
        let hold = pending.await.map_err(|error| ledger_failed(&error))?.map_err(refused)?;
        tracing::info!(hold = %hold.id, operator = hold.set.by, "a hold is set");
        Ok(v1::SetHoldResponse { hold: Some(convert::hold(&hold)) })
    }

    fn held_organ(&self, text: &str) -> Result<Held, Refusal> {
        let organ = fields::organ(text, "organ")?;
        match self.directory.load().get(&organ) {
            Some(_) => Ok(Held::Organ(organ)),
            None => {
                Err(Refusal::new(Reason::OrganNotFound, format!("organ {organ} is not in the directory"))
                    .field("organ")
                    .hint("ListOrgans gives the organs there are"))
            }
        }
    }

    /// Releases a hold.
    pub async fn release_hold(
        &self,
        operator: String,
        request: v1::ReleaseHoldRequest,
    ) -> Result<v1::ReleaseHoldResponse, Refusal> {
        if request.hold_id.is_empty() {
            return Err(fields::missing("hold_id"));
        }
        fields::required(&request.reason, REASON_CHARS_MAX, "reason")?;
        let hold = HoldId::parse(&request.hold_id).ok_or_else(|| refused(HoldError::NoHold))?;
        let at = self.dispatch.clock.now();
        let request = ReleaseRequest { hold, reason: request.reason, by: operator, at };
        let pending = self.dispatch.ledger.release(request).await.map_err(|error| ledger_failed(&error))?;
        let hold = pending.await.map_err(|error| ledger_failed(&error))?.map_err(refused)?;
        tracing::info!(hold = %hold.id, "a hold is released");
        Ok(v1::ReleaseHoldResponse { hold: Some(convert::hold(&hold)) })
    }

    /// A page of holds.
    pub async fn holds(&self, request: v1::ListHoldsRequest) -> Result<v1::ListHoldsResponse, Refusal> {
        let limit = page_size(request.page_size, HOLDS_PAGE_DEFAULT, HOLDS_PAGE_MAX)?;
        let before = cursor::read_number(Log::Holds, "", &request.page_token, "page_token")?.map(HoldId);
        let found = self.dispatch.ledger.holds(request.include_released, before, limit).await;
        let found = found.map_err(|error| ledger_failed(&error))?;
        let last = found.last().filter(|_| found.len() == limit);
        Ok(v1::ListHoldsResponse {
            next_page_token: last.map(|last| cursor::write(Log::Holds, "", last.id.0)).unwrap_or_default(),
            holds: found.iter().map(convert::hold).collect(),
        })
    }
}

fn held_message(message: &v1::HeldMessage) -> Result<Held, Refusal> {
    let sender = fields::organ(&message.sender, "message.sender")?;
    if message.message_id.is_empty() {
        return Err(fields::missing("message.message_id"));
    }
    // An id that cannot be one was never accepted.
    let message_id = MessageId::parse(&message.message_id).map_err(|_| refused(HoldError::NoMessage))?;
    Ok(Held::Message { sender, message_id })
}

fn refused(error: HoldError) -> Refusal {
    match error {
        HoldError::NoMessage => Refusal::new(Reason::MessageNotFound, "the organ sent no such message")
            .field("message.message_id")
            .hint("name the sender and the id it gave the message"),
        HoldError::Purged => Refusal::new(Reason::PayloadPurged, "the payload of the message is purged")
            .field("message.message_id")
            .hint("nothing is left to be held; header and receipts stay in any case"),
        HoldError::NoHold => Refusal::new(Reason::HoldNotFound, "there is no such hold")
            .field("hold_id")
            .hint("ListHolds gives the holds there are"),
    }
}
