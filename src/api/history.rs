//! Looking back: one message's story, what an organ sent, what it received.

use super::Api;
use super::caller::{Caller, Speaker};
use super::cursor::{self, Log};
use crate::domain::delivery::{DeliveryId, State};
use crate::domain::limits::{LIST_PAGE_DEFAULT, LIST_PAGE_MAX};
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::Receipt;
use crate::domain::refusal::{Reason, Refusal};
use crate::intake::{fields, ledger_failed};
use crate::ledger::{DeliveryRecord, Link, MessageKey, MessageRecord};
use crate::proto::{convert, v1};

impl Api {
    /// One message's story, as far as it is the caller's.
    pub async fn track(
        &self,
        caller: Caller,
        request: v1::TrackRequest,
    ) -> Result<v1::TrackResponse, Refusal> {
        let sender = match (&caller, request.sender.as_str()) {
            (Caller::Organ(organ), "") => organ.clone(),
            (_, named) => fields::organ(named, "sender")?,
        };
        if request.message_id.is_empty() {
            return Err(fields::missing("message_id"));
        }
        let not_found = || {
            Refusal::new(Reason::MessageNotFound, "no such message, or it is none of the caller's")
                .field("message_id")
                .hint("name the sender and the message id it used; a recipient finds both in the envelope")
        };
        // An id that cannot be one was never accepted.
        let message_id = MessageId::parse(&request.message_id).map_err(|_| not_found())?;
        let found = self.dispatch.ledger.track(&sender, &message_id).await;
        let found = found.map_err(|error| ledger_failed(&error))?;
        let (record, receipts) = found.ok_or_else(not_found)?;
        let lineage = self.dispatch.ledger.lineage(record.key).await;
        let lineage = lineage.map_err(|error| ledger_failed(&error))?;
        self.visible(&caller, &sender, record, receipts, lineage).ok_or_else(not_found)
    }

    fn visible(
        &self,
        caller: &Caller,
        sender: &OrganId,
        mut record: MessageRecord,
        mut receipts: Vec<Receipt>,
        mut lineage: Vec<Link>,
    ) -> Option<v1::TrackResponse> {
        let mut is_notice = false;
        if let Caller::Organ(organ) = caller {
            let (directory, today) = (self.directory.load(), self.today());
            let reads = |whose: &OrganId| directory.acts_for(organ, whose, today);
            if !reads(sender) {
                record.deliveries.retain(|delivery| reads(&delivery.recipient));
                receipts.retain(|receipt| receipt.delivery.as_ref().is_none_or(|d| reads(&d.recipient)));
                for link in &mut lineage {
                    link.record.deliveries.retain(|delivery| reads(&delivery.recipient));
                    link.effects.retain(|(effected, _)| reads(&effected.recipient));
                }
                lineage.retain(|link| !link.record.deliveries.is_empty() || !link.effects.is_empty());
                is_notice = record.deliveries.iter().all(|delivery| delivery.is_notice);
                if record.deliveries.is_empty() {
                    return None;
                }
            }
        }
        Some(v1::TrackResponse {
            envelope: Some(seen(&record, is_notice)),
            deliveries: record.deliveries.iter().map(|delivery| self.delivery_status(delivery)).collect(),
            receipts: receipts.iter().map(convert::receipt).collect(),
            lineage: lineage.iter().map(convert::link).collect(),
        })
    }

    /// Where a delivery stands, and what is in the way of one that has not ended.
    fn delivery_status(&self, record: &DeliveryRecord) -> v1::DeliveryStatus {
        let waits = matches!(record.progress.state, State::Queued | State::Waiting);
        let outage = waits.then(|| self.dispatch.links.outage(&record.recipient)).flatten();
        v1::DeliveryStatus {
            push_outage: outage.as_ref().map(convert::outage),
            ..convert::delivery_status(record)
        }
    }

    /// What an organ sent.
    pub async fn list_sent(
        &self,
        caller: Caller,
        request: v1::ListSentRequest,
    ) -> Result<v1::ListSentResponse, Refusal> {
        let Speaker { organ, .. } = self.speaker(caller, &request.organ, "organ")?;
        let limit = page_size(request.page_size, LIST_PAGE_DEFAULT, LIST_PAGE_MAX)?;
        let before = before(Log::Sent, &organ, &request.page_token)?.map(MessageKey);
        let found = self.dispatch.ledger.sent(&organ, before, limit).await;
        let found = found.map_err(|error| ledger_failed(&error))?;
        let last = found.last().filter(|_| found.len() == limit);
        let next_page_token = last.map(|last| cursor::write(Log::Sent, organ.as_str(), last.key.0));
        let message = |record: &MessageRecord| v1::SentMessage {
            envelope: Some(convert::kept_envelope(record)),
            deliveries: record.deliveries.iter().map(|delivery| self.delivery_status(delivery)).collect(),
        };
        Ok(v1::ListSentResponse {
            messages: found.iter().map(message).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        })
    }

    /// What an organ received.
    pub async fn list_received(
        &self,
        caller: Caller,
        request: v1::ListReceivedRequest,
    ) -> Result<v1::ListReceivedResponse, Refusal> {
        let Speaker { organ, .. } = self.speaker(caller, &request.organ, "organ")?;
        let limit = page_size(request.page_size, LIST_PAGE_DEFAULT, LIST_PAGE_MAX)?;
        let before = before(Log::Received, &organ, &request.page_token)?.map(DeliveryId);
        let found = self.dispatch.ledger.received(&organ, before, request.open_only, limit).await;
        let found = found.map_err(|error| ledger_failed(&error))?;
        let last = found.last().filter(|_| found.len() == limit).and_then(|last| last.deliveries.first());
        let next_page_token = last.map(|last| cursor::write(Log::Received, organ.as_str(), last.id.0));
        let message = |record: &MessageRecord| {
            let delivery = record.deliveries.first();
            v1::ReceivedMessage {
                envelope: Some(seen(record, delivery.is_some_and(|delivery| delivery.is_notice))),
                delivery: delivery.map(|delivery| self.delivery_status(delivery)),
                end_time: delivery.and_then(|d| d.ended_at).map(convert::timestamp),
            }
        };
        Ok(v1::ListReceivedResponse {
            messages: found.iter().map(message).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        })
    }
}

/// The envelope as its reader may see it: of a message that is for others, a notice.
fn seen(record: &MessageRecord, is_notice: bool) -> v1::Envelope {
    match is_notice {
        true => convert::notice(&record.message).0,
        false => convert::kept_envelope(record),
    }
}

/// The size of a page.
pub fn page_size(asked: u32, default: u32, max: u32) -> Result<usize, Refusal> {
    match asked {
        0 => Ok(default as usize),
        1.. if asked <= max => Ok(asked as usize),
        _ => Err(Refusal::new(Reason::InvalidField, format!("{asked} is more than {max}"))
            .field("page_size")
            .hint(format!("1 to {max}, or 0 for {default}"))),
    }
}

fn before(log: Log, organ: &OrganId, token: &str) -> Result<Option<u64>, Refusal> {
    cursor::read_number(log, organ.as_str(), token, "page_token")
}
