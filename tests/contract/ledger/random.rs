//! All points at once: thousands of random operations, with reopens and kills, beside the model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use truc::domain::change::{ChangeKind, DocumentRef, Target};
use truc::domain::delivery::{DeliveryId, Event, Hold, Lease, Outcome, Policy, State};
use truc::domain::receipt::{Asserter, Cause};
use truc::domain::status::StatusCode;
use truc::domain::time::Timestamp;
use truc::ledger::{
    AcceptAnswers, Acceptance, Commit, DeliveryRecord, Pending, Ready, ReportAnswers, ReportRequest,
    StepAnswers, StepRequest,
};

use super::inspect::seen;
use super::model::{Keys, Model, Told};
use super::{LedgerUnderTest, Open, Terms};
use crate::support::{
    Seed, forged, letter, offer, organ, recall, redirected, replacement, report, soon, t, update, urgent,
    with,
};

const ORGANS: [&str; 5] = ["G22", "H49", "H05", "H57.12", "H02"];
const ROUNDS: usize = 500;
/// Small, so that mailboxes are full now and then.
const MAILBOX: u64 = 12;

/// Operations of one kind, with what has become of them so far.
enum Batch<A = (), S = (), R = ()> {
    Accept(Vec<Acceptance>, A),
    Step(Vec<StepRequest>, S),
    Report(Vec<ReportRequest>, R),
}

/// Draws operations by what the model knows.
struct Draw {
    rng: fastrand::Rng,
    now: Timestamp,
    letters: usize,
    /// What was drawn so far, by its sender.
    drawn: Vec<(&'static str, String)>,
}

impl Draw {
    fn later(&mut self) {
        self.now = self.now.plus(Duration::from_millis(self.rng.u64(0..8_000)));
    }

    fn organ(&mut self) -> &'static str {
        ORGANS[self.rng.usize(..ORGANS.len())]
    }

    fn batch(&mut self, model: &Model) -> Batch {
        let size = self.rng.usize(1..=6);
        match self.rng.u8(..5) {
            0..2 => Batch::Accept((0..size).map(|_| self.acceptance(model)).collect(), ()),
            2 => Batch::Report((0..size).map(|_| self.report(model)).collect(), ()),
            _ => Batch::Step((0..size).map(|_| self.step(model)).collect(), ()),
        }
    }

    fn acceptance(&mut self, model: &Model) -> Acceptance {
        if model.letters() > 0 && self.rng.u8(..100) < 25 {
            let again = model.letter(self.rng.usize(..model.letters()));
            return if self.rng.u8(..4) == 0 { forged(again) } else { again };
        }
        self.letters += 1;
        if self.rng.u8(..4) == 0 && !self.drawn.is_empty() {
            return self.change();
        }
        let to: Vec<_> = (0..self.rng.usize(1..=3)).map(|_| self.organ()).collect();
        let (from, id) = (self.organ(), format!("m{}", self.letters));
        let mut new = self.dated(letter(from, &id, &to));
        new.document_id = Some(format!("v{}", self.rng.u8(..40)));
        self.drawn.push((from, id));
        if self.rng.u8(..4) == 0 {
            new = redirected(new, "H02", self.organ(), "09/2025/QĐ-TTg");
        }
        if self.rng.u8(..3) == 0 { urgent(new) } else { new }
    }

    fn dated(&mut self, letter: Acceptance) -> Acceptance {
        with(letter, |message| {
            message.accepted_at = self.now;
            message.expires_at = self.now.plus(Duration::from_secs(self.rng.u64(10..2_000)));
        })
    }

    /// A recall, update or replacement of something lately drawn, accepted or not.
    fn change(&mut self) -> Acceptance {
        let place = self.drawn.len() - 1 - self.rng.usize(..self.drawn.len().min(12));
        let ((from, of), id) = (self.drawn[place].clone(), format!("m{}", self.letters));
        let to: BTreeSet<_> = (0..self.rng.usize(1..=2)).map(|_| self.organ()).collect();
        let to: Vec<_> = to.into_iter().collect();
        let new = match self.rng.u8(..4) {
            0 => update(from, &id, &to, &of),
            1 => replacement(from, &id, &to, &of),
            _ => recall(from, &id, &of),
        };
        let mut new = self.dated(new);
        let change = new.change.as_mut().expect("it is one");
        if self.rng.u8(..3) == 0 {
            change.targets[0].recipients.push(organ(self.organ()));
        }
        if self.rng.u8(..3) == 0 {
            let document = DocumentRef::Document(format!("v{}", self.rng.u8(..40)));
            change.targets.push(Target { document, recipients: Vec::new() });
        }
        if change.kind == ChangeKind::Update && self.rng.bool() {
            change.removed.push(organ(self.organ()));
        }
        change.known_only = self.rng.bool();
        self.drawn.push((from, id));
        new
    }

    fn step(&mut self, model: &Model) -> StepRequest {
        let Some(delivery) = self.delivery(model) else {
            return offer(DeliveryId(1 << 50), self.now);
        };
        // Mostly the attempt that is, at times one that was or that is not yet.
        let lease = match self.rng.u8(..8) {
            0 => Lease(delivery.progress.attempt.saturating_sub(1)),
            1 => Lease(delivery.progress.attempt + 1),
            _ => Lease(delivery.progress.attempt),
        };
        let event = match self.rng.u8(..12) {
            0..4 => {
                let until = self.now.plus(Duration::from_secs(self.rng.u64(5..120)));
                Event::Offer { hold: if self.rng.bool() { Hold::Stream } else { Hold::Fetch }, until }
            }
            4..8 => Event::Settle { lease, outcome: self.outcome() },
            8..10 => Event::Dropped { lease, cause: Cause::Disconnected },
            _ => Event::Due,
        };
        let recipient = match self.rng.u8(..10) {
            0 => Some(organ(self.organ())),
            1..6 => Some(delivery.recipient.clone()),
            _ => None,
        };
        let by = recipient.clone().map_or(Asserter::Gateway, Asserter::Organ);
        // At times it was a while on its way.
        let late = if self.rng.u8(..8) == 0 { self.rng.i64(0..30_000_000) } else { 0 };
        let at = Timestamp::from_micros(self.now.as_micros() - late);
        StepRequest { delivery: delivery.id, recipient, event, at, by }
    }

    fn report(&mut self, model: &Model) -> ReportRequest {
        let (code, stage) = (StatusCode::ALL[self.rng.usize(..9)], self.rng.u8(..3).to_string());
        let Some(delivery) = self.delivery(model) else {
            return report(DeliveryId(1 << 50), "H49", code, &stage, self.now);
        };
        let by = match self.rng.u8(..10) {
            0 => self.organ(),
            _ => delivery.recipient.as_str(),
        };
        report(delivery.id, by, code, &stage, self.now)
    }

    /// One of all, or of those whose time has come.
    fn delivery<'a>(&mut self, model: &'a Model) -> Option<&'a DeliveryRecord> {
        let due = self.rng.bool();
        let wanted: Vec<_> = model
            .deliveries()
            .filter(|d| !due || d.progress.due_at.is_some_and(|at| at <= self.now))
            .collect();
        self.rng.choice(wanted)
    }

    fn outcome(&mut self) -> Outcome {
        match self.rng.u8(..4) {
            0 => Outcome::Rejected { reason: format!("no. {}", self.rng.u8(..)) },
            1 => Outcome::Deferred { reason: String::new(), retry_at: None },
            2 => Outcome::Deferred {
                reason: "later".to_owned(),
                retry_at: Some(self.now.plus(Duration::from_secs(self.rng.u64(0..300)))),
            },
            _ => Outcome::Delivered,
        }
    }
}

pub async fn a_random_history_is_as_the_model_says<L: LedgerUnderTest>() {
    let seed = Seed::new();
    let policy = Policy { attempts_max: 4, prompt_attempts: 1, ..Terms::default().policy };
    let terms = Terms { mailbox_deliveries_max: MAILBOX, policy };
    let mut model = Model::new(terms.clone());
    let mut open = Open::<L>::on(terms).await;
    let mut draw = Draw { rng: seed.rng(), now: t(1_000), letters: 0, drawn: Vec::new() };
    for _ in 0..ROUNDS {
        draw.later();
        let batches: Vec<_> = (0..draw.rng.usize(1..=5)).map(|_| draw.batch(&model)).collect();
        round(&mut open, &mut model, batches).await;
        match draw.rng.u8(..60) {
            0 => open = restarted(open.reopened().await, &model).await,
            1 => open = restarted(open.killed().await, &model).await,
            2 => {}
            _ => continue,
        }
        compare(&open, &model, draw.now).await;
    }
    compare(&open.killed().await, &model, draw.now).await;
}

/// What was on streams is known to be, now that they are gone.
async fn restarted<L: LedgerUnderTest>(open: Open<L>, model: &Model) -> Open<L> {
    let held = soon(open.ledger.held_by_streams(usize::MAX)).await.unwrap();
    assert_eq!(held.into_iter().collect::<BTreeMap<_, _>>(), model.on_streams());
    open
}

/// Hands over all batches, then looks at the answers in their order, and at what was told.
async fn round<L: LedgerUnderTest>(open: &mut Open<L>, model: &mut Model, batches: Vec<Batch>) {
    let mut handed = Vec::new();
    for batch in batches {
        handed.push(hand_over(open, batch).await);
    }
    let mut answered = Vec::new();
    for batch in handed {
        answered.push(match batch {
            Batch::Accept(batch, pending) => Batch::Accept(batch, soon(pending).await.unwrap()),
            Batch::Step(batch, pending) => Batch::Step(batch, soon(pending).await.unwrap()),
            Batch::Report(batch, pending) => Batch::Report(batch, soon(pending).await.unwrap()),
        });
    }
    let mut told = taken_together(open.told());
    let mut keys = Keys::new();
    for batch in &answered {
        let Batch::Accept(_, answers) = batch else { continue };
        for accepted in answers.iter().flatten() {
            let (sender, id) = (&accepted.receipt.sender, &accepted.receipt.message_id);
            let (record, _) = soon(open.ledger.track(sender, id)).await.unwrap().unwrap();
            keys.insert((sender.clone(), id.clone()), record.key);
        }
    }
    for batch in answered {
        match batch {
            Batch::Accept(batch, answers) => {
                assert_eq!(batch.len(), answers.len());
                batch.iter().zip(&answers).for_each(|(given, answer)| model.accept(given, answer, &keys));
            }
            Batch::Step(batch, answers) => {
                assert_eq!(batch.len(), answers.len());
                batch.iter().zip(&answers).for_each(|(request, answer)| model.step(request, answer));
            }
            Batch::Report(batch, answers) => {
                assert_eq!(batch.len(), answers.len());
                batch.iter().zip(&answers).for_each(|(request, answer)| model.report(request, answer));
            }
        }
    }
    // What was cancelled may have been told of before.
    let mut expected = model.told();
    for told in [&mut told, &mut expected] {
        let is_there = |ready: &Ready| model.delivery(ready.delivery).progress.state != State::Cancelled;
        told.ready.values_mut().for_each(|ready| ready.retain(is_there));
        told.ready.retain(|_, ready| !ready.is_empty());
    }
    assert_eq!(told, expected);
}

async fn hand_over<L: LedgerUnderTest>(
    open: &Open<L>,
    batch: Batch,
) -> Batch<Pending<AcceptAnswers>, Pending<StepAnswers>, Pending<ReportAnswers>> {
    match batch {
        Batch::Accept(batch, ()) => {
            let pending = soon(open.ledger.accept(batch.clone())).await.unwrap();
            Batch::Accept(batch, pending)
        }
        Batch::Step(batch, ()) => {
            let pending = soon(open.ledger.step(batch.clone())).await.unwrap();
            Batch::Step(batch, pending)
        }
        Batch::Report(batch, ()) => {
            let pending = soon(open.ledger.report(batch.clone())).await.unwrap();
            Batch::Report(batch, pending)
        }
    }
}

/// All commits as if they were one.
fn taken_together(commits: Vec<Commit>) -> Told {
    let mut told = Told::default();
    for commit in commits {
        for became in commit.ready {
            told.ready.entry((became.organ, became.lane)).or_default().push(became.ready);
        }
        told.heads.extend(commit.receipt_heads);
        told.due(commit.due);
    }
    told
}

/// Part by part, so that a difference is shown where it is.
async fn compare<L: LedgerUnderTest>(open: &Open<L>, model: &Model, now: Timestamp) {
    let expected = model.seen(&ORGANS, now);
    let found = seen(&*open.ledger, &ORGANS, now, 50).await;
    assert_eq!(found.receipts, expected.receipts);
    assert_eq!(found.sent, expected.sent);
    assert_eq!(found.ready, expected.ready);
    assert_eq!(found, expected);
    let due = soon(open.ledger.due(now, usize::MAX)).await.unwrap();
    let due_at: Vec<_> = due.iter().map(|id| model.delivery(*id).progress.due_at).collect();
    assert!(due_at.is_sorted(), "the longest due first: {due_at:?}");
}
