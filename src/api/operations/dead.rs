//! Dead letters: looked at, replayed, discarded.

use crate::api::Api;
use crate::api::cursor::{self, Log};
use crate::api::history::page_size;
use crate::delivery::{Verdict, no_dead_letter};
use crate::domain::delivery::DeliveryId;
use crate::domain::limits::{
    DEAD_LETTERS_DECIDED_MAX, DEAD_LETTERS_DEFAULT, DEAD_LETTERS_MAX, REASON_CHARS_MAX,
};
use crate::domain::refusal::{Reason, Refusal};
use crate::intake::{fields, ledger_failed};
use crate::ledger::{DeadFilter, DeadLetter};
use crate::proto::{convert, v1};

/// Dead letters decided about in one step of the ledger.
const BATCH: usize = 512;

/// Which dead letters are decided about.
struct Chosen {
    ids: Vec<String>,
    filter: Option<v1::DeadLetterFilter>,
    max_deliveries: u32,
}

impl Api {
    /// A page of dead letters.
    pub async fn dead_letters(
        &self,
        request: v1::ListDeadLettersRequest,
    ) -> Result<v1::ListDeadLettersResponse, Refusal> {
        let filter = filter(request.filter.unwrap_or_default())?;
        let limit = page_size(request.page_size, DEAD_LETTERS_DEFAULT, DEAD_LETTERS_MAX)?;
        let scope = convert::optional(filter.organ.as_ref());
        let after = cursor::read_number(Log::DeadLetters, &scope, &request.page_token, "page_token")?;
        let found = self.dispatch.ledger.dead(&filter, DeliveryId(after.unwrap_or(0)), limit).await;
        let found = found.map_err(|error| ledger_failed(&error))?;
        let last = found.last().filter(|_| found.len() == limit);
        Ok(v1::ListDeadLettersResponse {
            next_page_token: last
                .map(|last| cursor::write(Log::DeadLetters, &scope, last.delivery.id.0))
                .unwrap_or_default(),
            dead_letters: found.iter().map(convert::dead_letter).collect(),
        })
    }

    /// One dead letter and its story.
    pub async fn dead_letter(
        &self,
        request: v1::GetDeadLetterRequest,
    ) -> Result<v1::GetDeadLetterResponse, Refusal> {
        if request.delivery_id.is_empty() {
            return Err(fields::missing("delivery_id"));
        }
        let id = DeliveryId::parse(&request.delivery_id).filter(|id| id.0 > 0).ok_or_else(no_dead_letter)?;
        let failed = |error| ledger_failed(&error);
        let ledger = &self.dispatch.ledger;
        let found = ledger.dead(&DeadFilter::default(), DeliveryId(id.0 - 1), 1).await.map_err(failed)?;
        let letter = found.into_iter().find(|letter| letter.delivery.id == id).ok_or_else(no_dead_letter)?;
        let story = ledger.track(&letter.sender, &letter.message_id).await.map_err(failed)?;
        let (record, receipts) = story.ok_or_else(no_dead_letter)?;
        let its = receipts.iter().filter(|receipt| receipt.delivery.as_ref().is_none_or(|d| d.id == id));
        Ok(v1::GetDeadLetterResponse {
            dead_letter: Some(convert::dead_letter(&letter)),
            envelope: Some(convert::kept_envelope(&record)),
            receipts: its.map(convert::receipt).collect(),
        })
    }

    /// Sends dead deliveries on their way again.
    pub async fn replay(
        &self,
        operator: String,
        request: v1::ReplayDeadLettersRequest,
    ) -> Result<v1::ReplayDeadLettersResponse, Refusal> {
        fields::bounded(&request.reason, REASON_CHARS_MAX, "reason")?;
        let v1::ReplayDeadLettersRequest { delivery_ids: ids, filter, max_deliveries, reason } = request;
        let chosen = Chosen { ids, filter, max_deliveries };
        let (results, more) = self.decide(&operator, chosen, Verdict::Replay(reason)).await?;
        Ok(v1::ReplayDeadLettersResponse { results, more })
    }

    /// Gives dead deliveries up.
    pub async fn discard(
        &self,
        operator: String,
        request: v1::DiscardDeadLettersRequest,
    ) -> Result<v1::DiscardDeadLettersResponse, Refusal> {
        fields::required(&request.reason, REASON_CHARS_MAX, "reason")?;
        let v1::DiscardDeadLettersRequest { delivery_ids: ids, filter, max_deliveries, reason } = request;
        let chosen = Chosen { ids, filter, max_deliveries };
        let (results, more) = self.decide(&operator, chosen, Verdict::Discard(reason)).await?;
        Ok(v1::DiscardDeadLettersResponse { results, more })
    }

    async fn decide(
        &self,
        operator: &str,
        chosen: Chosen,
        verdict: Verdict,
    ) -> Result<(Vec<v1::DeadLetterResult>, bool), Refusal> {
        let decided = match chosen.filter {
            Some(_) if !chosen.ids.is_empty() => {
                Err(Refusal::new(Reason::InvalidField, "both deliveries and a filter are given")
                    .field("filter")
                    .hint("name deliveries, or give a filter"))
            }
            Some(given) => self.decide_all(operator, filter(given)?, chosen.max_deliveries, &verdict).await,
            None => self.decide_named(operator, chosen.ids, &verdict).await.map(|results| (results, false)),
        };
        let (results, more) = decided?;
        let done = results.iter().filter(|result| result.refusal.is_none()).count();
        let what = if matches!(verdict, Verdict::Replay(_)) { "replayed" } else { "discarded" };
        tracing::info!(
            operator,
            deliveries = done,
            refused = results.len() - done,
            what,
            "dead letters are decided about"
        );
        Ok((results, more))
    }

    async fn decide_named(
        &self,
        operator: &str,
        ids: Vec<String>,
        verdict: &Verdict,
    ) -> Result<Vec<v1::DeadLetterResult>, Refusal> {
        if ids.is_empty() {
            return Err(fields::missing("delivery_ids"));
        }
        if ids.len() > DEAD_LETTERS_MAX as usize {
            return Err(Refusal::new(
                Reason::InvalidField,
                format!("more than {DEAD_LETTERS_MAX} deliveries"),
            )
            .field("delivery_ids")
            .hint("make several calls, or give a filter"));
        }
        let parsed: Vec<_> = ids.iter().map(|id| DeliveryId::parse(id)).collect();
        let decided = self.dispatch.decide(parsed.iter().flatten().copied(), verdict, operator).await;
        let mut decided = decided.map_err(|error| ledger_failed(&error))?.into_iter();
        let results = ids.into_iter().zip(parsed).map(|(id, parsed)| {
            let state = match parsed {
                Some(_) => decided.next().expect("the ledger answers every step of a batch"),
                None => Err(no_dead_letter()),
            };
            convert::dead_letter_result(id, &state)
        });
        Ok(results.collect())
    }

    async fn decide_all(
        &self,
        operator: &str,
        filter: DeadFilter,
        max_deliveries: u32,
        verdict: &Verdict,
    ) -> Result<(Vec<v1::DeadLetterResult>, bool), Refusal> {
        let most = match max_deliveries {
            0 => DEAD_LETTERS_MAX,
            asked if asked <= DEAD_LETTERS_DECIDED_MAX => asked,
            asked => {
                return Err(Refusal::new(
                    Reason::InvalidField,
                    format!("{asked} is more than {DEAD_LETTERS_DECIDED_MAX}"),
                )
                .field("max_deliveries")
                .hint("make several calls; `more` says whether there are more"));
            }
        };
        let failed = |error| ledger_failed(&error);
        let (mut results, mut after): (Vec<_>, _) = (Vec::new(), DeliveryId(0));
        loop {
            let left = most as usize - results.len();
            let found: Vec<DeadLetter> =
                self.dispatch.ledger.dead(&filter, after, left.clamp(1, BATCH)).await.map_err(failed)?;
            let Some(last) = found.last() else { return Ok((results, false)) };
            if left == 0 {
                return Ok((results, true));
            }
            after = last.delivery.id;
            let ids = found.iter().map(|letter| letter.delivery.id);
            let decided = self.dispatch.decide(ids.clone(), verdict, operator).await.map_err(failed)?;
            results.extend(
                ids.zip(decided).map(|(id, state)| convert::dead_letter_result(id.to_string(), &state)),
            );
        }
    }
}

fn filter(given: v1::DeadLetterFilter) -> Result<DeadFilter, Refusal> {
    let invalid = || {
        Refusal::new(Reason::InvalidField, "not a cause of the contract")
            .field("filter.cause")
            .hint("a number of DeliveryCause, or none for all")
    };
    let cause = match given.cause {
        0 => None,
        number => Some(convert::cause_of(number).ok_or_else(invalid)?),
    };
    let organ = match given.organ.as_str() {
        "" => None,
        text => Some(fields::organ(text, "filter.organ")?),
    };
    Ok(DeadFilter { organ, cause })
}
