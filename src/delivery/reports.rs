//! Reports of business status: handed to the ledger, answered, counted.

use super::Dispatch;
use crate::domain::delivery::{DeliveryId, State};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::status::{Party, Report, ReportRefused, listed};
use crate::ledger::{self, ReportError, ReportRequest, Reported};

/// A report as it was written, and what it says, unless it says nothing that can be understood.
pub type WrittenReport = (String, Result<(DeliveryId, Report), Refusal>);

/// A report as it was written, and its receipt, or why it was not taken.
pub type ReportAnswer = (String, Result<Reported, Refusal>);

impl Dispatch {
    /// Reports statuses for an organ, on behalf of it by whoever spoke. Answers in order.
    pub async fn report(
        &self,
        organ: &OrganId,
        by: &OrganId,
        written: Vec<WrittenReport>,
    ) -> Result<Vec<ReportAnswer>, ledger::Error> {
        let at = self.clock.now();
        let mut requests = Vec::with_capacity(written.len());
        let mut batch = Vec::with_capacity(written.len());
        for (id, report) in written {
            let understood = report.map(|(delivery, report)| {
                let (organ, by) = (organ.clone(), by.clone());
                requests.push(ReportRequest { delivery, organ, by, report, at, file: None });
            });
            batch.push((id, understood));
        }
        let answers = match requests.is_empty() {
            true => Vec::new(),
            false => self.ledger.report(requests).await?.await?,
        };
        let mut answers = answers.into_iter();
        let answered = batch.into_iter().map(|(id, understood)| {
            let result = understood.and_then(|()| {
                let answer = answers.next().expect("the ledger answers every report of a batch");
                answer.map_err(report_refused)
            });
            self.count(&result);
            (id, result)
        });
        Ok(answered.collect())
    }

    fn count(&self, result: &Result<Reported, Refusal>) {
        match result {
            Ok(reported) => self.count_status(reported),
            Err(refusal) => self.metrics.refusals.of(refusal.reason()).increment(1),
        }
    }

    /// Counts a status, unless it was recorded before.
    pub fn count_status(&self, reported: &Reported) {
        if let (Some(status), false) = (&reported.receipt.status, reported.repeated) {
            self.metrics.statuses.of(status.code).increment(1);
        }
    }
}

/// What a reporter is told when the ledger refuses.
pub fn report_refused(error: ReportError) -> Refusal {
    let refused = match error {
        ReportError::NotFound => {
            return Refusal::new(Reason::DeliveryNotFound, "the organ has no such delivery")
                .field("delivery_id")
                .hint(
                    "report with the delivery_id of a delivery handed to this organ; ListReceived gives them",
                );
        }
        ReportError::Refused(refused) => refused,
    };
    let words = refused.to_string();
    match refused {
        ReportRefused::NotYours(code) => Refusal::new(Reason::StatusOfOtherParty, words)
            .field("status")
            .fact("status", code.as_str())
            .fact("reported_by", Party::of(code).as_str())
            .hint("13 is reported by the sender of the document, all others by its recipient"),
        ReportRefused::NoReason(code) => Refusal::new(Reason::MissingField, words)
            .field("reason")
            .fact("status", code.as_str())
            .hint("say why; 02, 13 and 16 need a reason"),
        ReportRefused::NotHandedOver(state) => Refusal::new(Reason::DeliveryNotHandedOver, words)
            .field("delivery_id")
            .fact("state", state.as_str())
            .hint(match state {
                State::Expired | State::Cancelled => "it has ended without the recipient; nothing can be reported of it",
                _ => "collect the delivery first",
            }),
        ReportRefused::NoRequest(code) => Refusal::new(Reason::NoOpenRequest, words)
            .field("status")
            .fact("status", code.as_str())
            .hint("13, 15 and 16 belong to a request to recall or update the document; there is none, or it was answered"),
        ReportRefused::NotNext { code, standing, expected } => Refusal::new(Reason::StatusNotPossible, words)
            .field("status")
            .fact("status", code.as_str())
            .fact("standing", standing.map_or("", |standing| standing.as_str()))
            .fact("expected", listed(&expected))
            .hint("report one of those expected; Track tells what was reported before"),
    }
}
