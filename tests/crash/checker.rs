//! The checker: what the clients saw and what the gateway says at the end, held against what the gateway promised.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use truc::proto::v1::{self, ReceiptKind, TrackResponse};

use crate::journal::{Fact, told};

mod deliveries;
mod evidence;
mod ladder;
mod receipts;
mod submissions;

use evidence::Evidence;

/// What the gateway says at the end, read anew.
#[derive(Clone, Default)]
pub struct Ending {
    /// Each sender's receipts, from the first on.
    pub logs: BTreeMap<String, Vec<v1::Receipt>>,
    /// The story of each message that is there.
    pub stories: BTreeMap<String, TrackResponse>,
    /// Deliveries the recipients' lists still call open.
    pub open: Vec<String>,
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// What the gateway promised, each by the name of its breach.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Rule { $($(#[doc = $doc])* $name,)* }

        impl Rule {
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

rules! {
    /// A message that was accepted is not there.
    AcceptedLost,
    /// A repeated submission did not get the original acceptance, or the log has another one.
    AcceptanceChanged,
    /// A message was accepted anew though it was there, or called repeated though it was not.
    AcceptedTwice,
    /// A message is there in part.
    HalfThere,
    /// A message is there that nobody submitted.
    NeverSubmitted,
    /// A payload, or what is said of it, is not what was submitted.
    ContentChanged,
    /// A delivery went to an organ it is not for.
    Misrouted,
    /// A delivery has not ended.
    NotEnded,
    /// A delivery ended otherwise than its recipient was answered.
    OutcomeForgotten,
    /// A delivery ended as no recipient said.
    OutcomeUnfounded,
    /// A delivery was offered after the settlement that ended it had been answered.
    OfferedAfterEnd,
    /// An attempt was offered twice, or after a later one.
    AttemptsNotRising,
    /// A delivery was offered without a receipt.
    OfferUnrecorded,
    /// The answer to a settlement is none the settlement can have.
    SettlementMisjudged,
    /// A sender's log is not numbered 1, 2, 3, ...
    LogGap,
    /// A watcher missed a receipt or saw one twice.
    WatchGap,
    /// A watcher saw another receipt than is in the log.
    WatchDiffers,
    /// A message's own receipts are not those its sender's log has of it.
    TrackDiffers,
    /// A message's receipts do not make a ladder.
    LadderBroken,
    /// A receipt is about something else than it says.
    ReceiptMistold,
    /// A message's receipts go back in time.
    TimeBackwards,
    /// A call went as the contract does not allow.
    CallBroken,
}

/// One breach.
#[derive(Debug)]
pub struct Violation {
    pub rule: Rule,
    /// The message, delivery, organ or client it is about.
    pub subject: String,
    pub words: String,
}

/// How much of what there was.
#[derive(Debug, Default)]
pub struct Counts {
    pub submissions: usize,
    pub documents: usize,
    pub accepted: usize,
    pub repeated: usize,
    pub unanswered_there: usize,
    pub unanswered_not_there: usize,
    pub deliveries: usize,
    pub redirected: usize,
    pub offers: usize,
    pub redeliveries: usize,
    pub settlements: usize,
    pub settlements_answered: usize,
    pub leases_lost: usize,
    pub delivered: usize,
    pub rejected: usize,
    pub deferred: usize,
    pub receipts: usize,
    pub watched: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { submissions, documents, accepted, repeated, deliveries, redirected, .. } = self;
        let Self { unanswered_there: there, unanswered_not_there: absent, offers, redeliveries, .. } = self;
        let Self { settlements, settlements_answered: answered, leases_lost, receipts, watched, .. } = self;
        let Self { delivered, rejected, deferred, .. } = self;
        write!(
            f,
            "  {documents} documents in {submissions} submissions: {accepted} accepted; {repeated} answers to repeats; \
             of the unanswered {there} there, {absent} not\n  \
             {deliveries} deliveries, {redirected} redirected: {delivered} delivered, {rejected} rejected, \
             after {deferred} deferrals\n  \
             {offers} offers seen, {redeliveries} of them again; {settlements} settlements sent, {answered} answered, \
             {leases_lost} too late\n  \
             {receipts} receipts, {watched} watched"
        )
    }
}

/// What the checker found.
#[derive(Debug, Default)]
pub struct Verdict {
    pub counts: Counts,
    pub violations: Vec<Violation>,
}

/// Most violations told in full, and most facts told of each.
const VIOLATIONS_TOLD: usize = 8;
const FACTS_TOLD: usize = 60;

impl Verdict {
    fn accuse(&mut self, rule: Rule, subject: &str, words: impl Into<String>) {
        self.violations.push(Violation { rule, subject: subject.to_owned(), words: words.into() });
    }

    /// The violations, with the facts about the first of them.
    pub fn told(&self, facts: &[Fact], ending: &Ending) -> String {
        let rules: BTreeSet<_> = self.violations.iter().map(|violation| violation.rule).collect();
        let mut text = format!("{} violations: {rules:?}\n", self.violations.len());
        for Violation { rule, subject, words } in self.violations.iter().take(VIOLATIONS_TOLD) {
            text.push_str(&format!("\n{rule:?} {subject}: {words}\n"));
            let about = facts.iter().enumerate().filter(|(_, fact)| fact.concerns(subject));
            for (order, fact) in about.take(FACTS_TOLD) {
                text.push_str(&format!("  {order:>7} {fact}\n"));
            }
            let log = ending.logs.values().flatten();
            let log = log.filter(|r| r.message_id == *subject || r.delivery_id == *subject);
            log.take(FACTS_TOLD).for_each(|r| text.push_str(&format!("          {}\n", told(r))));
        }
        text
    }
}

/// Holds the facts against the promises.
pub fn check(facts: &[Fact], ending: &Ending) -> Verdict {
    let evidence = Evidence::sort(facts, ending);
    let mut verdict = Verdict::default();
    for (id, case) in &evidence.cases {
        submissions::check(id, case, &mut verdict);
        ladder::check(id, case, &mut verdict);
    }
    for (id, course) in &evidence.courses {
        let document = course.message.and_then(|id| evidence.cases[id].document);
        deliveries::check(id, course, document, &mut verdict);
    }
    receipts::check(&evidence, &mut verdict);
    for id in &ending.open {
        verdict.accuse(Rule::NotEnded, id, "its recipient's list calls it open");
    }
    for (client, what) in &evidence.broken {
        verdict.accuse(Rule::CallBroken, client, *what);
    }
    verdict.counts = count(&evidence);
    verdict
}

fn count(evidence: &Evidence<'_>) -> Counts {
    let mut counts = Counts { documents: evidence.cases.len(), ..Counts::default() };
    for case in evidence.cases.values() {
        counts.submissions += case.submitted;
        counts.accepted += usize::from(!case.acceptances.is_empty());
        counts.repeated += case.acceptances.iter().filter(|a| a.repeated_submission).count();
        counts.unanswered_there += usize::from(case.acceptances.is_empty() && case.story.is_some());
        counts.unanswered_not_there += usize::from(case.acceptances.is_empty() && case.story.is_none());
    }
    for course in evidence.courses.values() {
        counts.deliveries += 1;
        counts.redirected += usize::from(course.status.is_some_and(|status| !status.addressed_to.is_empty()));
        counts.offers += course.offers.len();
        counts.redeliveries += course.offers.iter().filter(|o| o.offer.delivery.attempt > 1).count();
        counts.settlements += course.settling.len();
        counts.settlements_answered += course.settled.len();
        counts.leases_lost += course.settled.iter().filter(|s| s.result.refusal.is_some()).count();
    }
    for receipt in evidence.logs.iter().flat_map(|(_, log)| *log) {
        counts.receipts += 1;
        match receipt.kind() {
            ReceiptKind::Delivered => counts.delivered += 1,
            ReceiptKind::Rejected => counts.rejected += 1,
            ReceiptKind::Deferred => counts.deferred += 1,
            _ => {}
        }
    }
    counts.watched = evidence.watched.values().map(|(_, seen)| seen.len()).sum();
    counts
}
