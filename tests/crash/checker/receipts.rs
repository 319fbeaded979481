//! Each sender's log is numbered without a gap, and every watcher saw all of it, once, in order, across every disconnect.

use super::evidence::Evidence;
use super::{Rule, Verdict};
use crate::journal::told;

/// Checks the logs and what was watched of them.
pub fn check(evidence: &Evidence<'_>, verdict: &mut Verdict) {
    for (sender, log) in &evidence.logs {
        let broken = (1..).zip(log.iter()).find(|(number, receipt)| receipt.sender_sequence != *number);
        if let Some((number, receipt)) = broken {
            verdict.accuse(Rule::LogGap, sender, format!("at {number}: {}", told(receipt)));
        }
        if let Some(receipt) = log.iter().find(|receipt| receipt.sender != *sender) {
            verdict.accuse(Rule::ReceiptMistold, sender, format!("another's receipt: {}", told(receipt)));
        }
    }
    for (watcher, (sender, seen)) in &evidence.watched {
        let broken = (1..).zip(seen.iter()).find(|(number, receipt)| receipt.sender_sequence != *number);
        if let Some((number, receipt)) = broken {
            verdict.accuse(Rule::WatchGap, watcher, format!("at {number}: {}", told(receipt)));
            continue;
        }
        let Some((_, log)) = evidence.logs.iter().find(|(organ, _)| organ == sender) else {
            verdict.accuse(Rule::WatchDiffers, watcher, format!("{sender} has no log"));
            continue;
        };
        if seen.len() != log.len() {
            let words = format!("saw {} receipts, the log has {}", seen.len(), log.len());
            verdict.accuse(Rule::WatchGap, watcher, words);
        }
        if let Some((seen, kept)) = seen.iter().zip(log.iter()).find(|(seen, kept)| *seen != kept) {
            verdict.accuse(Rule::WatchDiffers, watcher, format!("saw {seen:?}, the log has {kept:?}"));
        }
    }
}
