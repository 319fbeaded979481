//! Reports of business status, whichever way they came. One of status 13 is the recall of one delivery.

use super::Desk;
use crate::delivery::{ReportAnswer, WrittenReport, report_refused};
use crate::domain::delivery::DeliveryId;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::domain::status::{Report, ReportRefused, StatusCode};
use crate::intake::{RecallReport, accept_refused};
use crate::ledger::{self, Acceptance, Accepted, ReportError, Reported};

/// A report as it was written, or that its place is among the recalls.
type Sorted = Vec<Option<WrittenReport>>;

impl Desk {
    /// Reports statuses for an organ, on behalf of it by whoever spoke. Answers in order.
    pub async fn report(
        &self,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<WrittenReport>,
    ) -> Result<Vec<ReportAnswer>, ledger::Error> {
        let is_recall = |(_, report): &WrittenReport| {
            report.as_ref().is_ok_and(|(_, report)| report.status.code == StatusCode::RecallAsked)
        };
        if !written.iter().any(is_recall) {
            return self.dispatch.report(organ, by, written).await;
        }
        let mut answers = Vec::with_capacity(written.len());
        let mut plain: Sorted = written.into_iter().map(Some).collect();
        while let Some(place) = plain.iter().position(|one| one.as_ref().is_some_and(is_recall)) {
            let rest = plain.split_off(place + 1);
            let recall = plain.pop().flatten();
            let before: Vec<_> = plain.into_iter().flatten().collect();
            answers.extend(self.dispatch.report(organ, by, before).await?);
            if let Some((id, Ok((delivery, report)))) = recall {
                let result = self.recall(organ, by, delivery, report).await?;
                if let Err(refusal) = &result {
                    self.dispatch.metrics.refusals.of(refusal.reason()).increment(1);
                }
                answers.push((id, result));
            }
            plain = rest;
        }
        answers.extend(self.dispatch.report(organ, by, plain.into_iter().flatten().collect()).await?);
        Ok(answers)
    }

    async fn recall(
        &self,
        organ: &OrganId,
        by: &OrganId,
        delivery: DeliveryId,
        report: Report,
    ) -> Result<Result<Reported, Refusal>, ledger::Error> {
        let refused = |why: ReportRefused| Ok(Err(report_refused(ReportError::Refused(why))));
        let ledger = &self.dispatch.ledger;
        let Some((sender, message_id, recipient)) = ledger.between(delivery).await? else {
            return Ok(Err(report_refused(ReportError::NotFound)));
        };
        let code = report.status.code;
        if sender != *organ {
            let stranger = recipient != *organ;
            return match stranger {
                true => Ok(Err(report_refused(ReportError::NotFound))),
                false => refused(ReportRefused::NotYours(code)),
            };
        }
        if report.reason.trim().is_empty() {
            return refused(ReportRefused::NoReason(code));
        }
        let asked = RecallReport {
            sender: sender.clone(),
            by: by.clone(),
            message_id: message_id.clone(),
            recipient,
            delivery,
            report,
        };
        let recall = self.intake.recall_of(asked, self.dispatch.clock.now());
        let accepted = match self.accept_one(recall).await? {
            Ok(accepted) => accepted,
            Err(refusal) => return Ok(Err(refusal.field("delivery_id"))),
        };
        let Some((_, receipts)) = ledger.track(&sender, &message_id).await? else {
            return Ok(Err(report_refused(ReportError::NotFound)));
        };
        let id = &accepted.receipt.message_id;
        let its =
            receipts.into_iter().find(|receipt| receipt.change.as_ref().is_some_and(|c| c.message_id == *id));
        Ok(its
            .map(|receipt| Reported { receipt, repeated: accepted.repeated })
            .ok_or_else(|| report_refused(ReportError::NotFound)))
    }

    async fn accept_one(&self, acceptance: Acceptance) -> Result<Result<Accepted, Refusal>, ledger::Error> {
        let mut answers = self.dispatch.ledger.accept(vec![acceptance]).await?.await?;
        let answer = answers.pop().expect("the ledger answers all that a batch asks");
        Ok(answer.map_err(|refused| accept_refused(&refused)))
    }
}
