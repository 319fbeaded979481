//! What the ledger's no means to a caller.

use std::time::Duration;

use crate::delivery::LEDGER_RETRY_DELAY;
use crate::domain::change::NotPlanned;
use crate::domain::refusal::{Reason, Refusal};
use crate::ledger::{self, AcceptRefused};

/// How long a sender should wait before it tries a full mailbox again.
const MAILBOX_RETRY_DELAY: Duration = Duration::from_secs(300);

/// What a sender is told when the ledger refuses.
pub fn accept_refused(refused: &AcceptRefused) -> Refusal {
    match refused {
        AcceptRefused::Conflict { sender, message_id, accepted } => Refusal::new(
            Reason::ContentConflict,
            format!("{sender} has used message id {message_id} for other content"),
        )
        .field("submission.message_id")
        .fact("accepted_content_sha256", accepted)
        .hint("give new content a new message id; to repeat a submission, send exactly what was sent"),
        AcceptRefused::TargetUnknown(_) | AcceptRefused::NotPossible(_) => not_changed(refused),
        AcceptRefused::MailboxFull { organ, open } => {
            Refusal::new(Reason::MailboxFull, format!("the mailbox of {organ} is full"))
                .fact("organ", organ)
                .fact("open_deliveries", open)
                .hint("the recipient has to collect first; submit again later, nothing was stored")
                .retry_after(MAILBOX_RETRY_DELAY)
        }
    }
}

/// What a sender is told of a change that cannot be. The field is told from where the change stands on.
fn not_changed(refused: &AcceptRefused) -> Refusal {
    let words = refused.to_string();
    let refusal = match refused {
        AcceptRefused::NotPossible(NotPlanned::Asked(open)) => Refusal::new(Reason::RequestOpen, words)
            .fact("delivery_id", open.delivery)
            .fact("recipient", &open.recipient)
            .fact("by", &open.by)
            .hint("wait for its answer, 15 or 16, or recall the message that asks; nothing was stored"),
        AcceptRefused::NotPossible(NotPlanned::Superseded { delivery, recipient, by }) => {
            Refusal::new(Reason::AlreadyChanged, words)
                .fact("delivery_id", delivery)
                .fact("recipient", recipient)
                .fact("by", by)
                .hint("another update or replacement was first; change that one; nothing was stored")
        }
        AcceptRefused::NotPossible(NotPlanned::NothingLeft(states)) => {
            let states: Vec<_> = states.iter().map(|(organ, state)| format!("{organ}={}", state.as_str())).collect();
            Refusal::new(Reason::NothingToRecall, words)
                .fact("states", states.join(","))
                .hint("Track tells what became of the document; nothing was stored")
        }
        AcceptRefused::TargetUnknown(_) | AcceptRefused::Conflict { .. } | AcceptRefused::MailboxFull { .. } => {
            Refusal::new(Reason::MessageNotFound, words)
                .hint("name an earlier document by the id it was submitted with, or by its document id; ListSent gives them")
        }
    };
    refusal.field(CHANGED)
}

/// The field of a change that names the earlier messages.
pub const CHANGED: &str = "targets";

/// What a caller is told when the ledger cannot do its work.
pub fn ledger_failed(error: &ledger::Error) -> Refusal {
    match error {
        ledger::Error::Closed => Refusal::new(Reason::ShuttingDown, "the gateway is stopping")
            .hint("try again on another connection"),
        ledger::Error::Failed(_) => {
            Refusal::new(Reason::LedgerUnavailable, "the gateway cannot read or write its ledger now")
                .hint("submit again with the same message id; it is safe")
        }
    }
    .retry_after(LEDGER_RETRY_DELAY)
}
