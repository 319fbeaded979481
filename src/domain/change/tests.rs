use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::domain::delivery::{self, Event, Hold, Lease, Outcome, Policy, Step, Then};
use crate::domain::duty::AcknowledgedBy;
use crate::domain::receipt::{Cause, ReceiptKind};
use crate::domain::status::{self, Decided, Party, Report, Staff, Standing, Status};
use crate::domain::time::Timestamp;

const POLICY: Policy = Policy {
    attempts_max: 3,
    retry_delay_min: Duration::from_secs(1),
    retry_delay_max: Duration::from_secs(8),
    retry_jitter: 0.0,
    prompt_attempts: 1,
    acknowledged_by: AcknowledgedBy::Delivery,
};
const ORGANS: [&str; 4] = ["H49", "H05", "H57", "H57.12"];
const SEQUENCES: usize = 100_000;
const SEED: u64 = 20_250_701;

fn t(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn organ(id: &str) -> OrganId {
    OrganId::parse(id).unwrap()
}

fn progress(state: State, attempt: u32) -> Progress {
    Progress { state, attempt, ..Progress::accepted(t(1_000)) }
}

fn found(id: u64, recipient: &str, state: State, attempt: u32) -> Found {
    Found {
        delivery: DeliveryId(id),
        target: 0,
        recipient: organ(recipient),
        addressed_to: None,
        progress: progress(state, attempt),
        status: None,
        asked_by: None,
        superseded_by: None,
    }
}

fn change(kind: ChangeKind) -> Change {
    let document = DocumentRef::Document("1234/VD".into());
    let targets = vec![Target { document, recipients: Vec::new() }];
    Change { kind, reason: "nhầm".into(), targets, removed: Vec::new(), known_only: true, by: organ("G22") }
}

fn planned(change: &Change, to: &[&str], found: &[Found]) -> Result<Plan, NotPlanned> {
    let to: Vec<_> = to.iter().map(|id| organ(id)).collect();
    let to: Vec<_> = to.iter().map(|organ| (organ, None)).collect();
    plan(change, &to, found)
}

#[test]
fn a_recall_is_absolute_before_the_offer_and_a_request_after_it() {
    for state in [State::Queued, State::Waiting, State::Dead] {
        assert_eq!(effect(&progress(state, 0), None), Effect::Cancelled);
    }
    for state in [State::Queued, State::InFlight, State::Waiting, State::Dead, State::Delivered] {
        assert_eq!(effect(&progress(state, 1), None), Effect::Asked);
        assert_eq!(effect(&progress(state, 1), Some(StatusCode::Done)), Effect::Asked);
        assert_eq!(effect(&progress(state, 1), Some(StatusCode::ChangeAgreed)), Effect::Nothing);
        assert_eq!(effect(&progress(state, 1), Some(StatusCode::Refused)), Effect::Nothing);
    }
    for state in [State::Rejected, State::Expired, State::Cancelled, State::Redirected] {
        assert_eq!(effect(&progress(state, 1), None), Effect::Nothing);
    }
}

#[test]
fn a_recall_goes_to_those_it_asks() {
    let found = [
        found(1, "H49", State::Queued, 0),
        found(2, "H05", State::Delivered, 1),
        found(3, "H57", State::Expired, 0),
    ];
    let plan = planned(&change(ChangeKind::Recall), &[], &found).unwrap();
    let effects: Vec<_> = plan.effects.iter().map(|(.., effect)| *effect).collect();
    assert_eq!(effects, [Effect::Cancelled, Effect::Asked, Effect::Nothing]);
    assert_eq!((plan.addressed, plan.notices), (vec![], vec![1]));
    // A file that is a recall goes to its own recipients where they are asked, or were never sent the document.
    let plan = planned(&change(ChangeKind::Recall), &["H49", "H05", "H57.12"], &found).unwrap();
    assert_eq!((plan.addressed, plan.notices), (vec![1, 2], vec![]));
    let mut some = change(ChangeKind::Recall);
    some.targets[0].recipients = vec![organ("H57")];
    let left = Err(NotPlanned::NothingLeft(vec![(organ("H57"), State::Expired)]));
    assert_eq!(planned(&some, &[], &found), left);
}

#[test]
fn an_update_asks_who_stays_recalls_who_goes_and_is_sent_to_who_comes() {
    let found = [
        found(1, "H49", State::Delivered, 1),
        found(2, "H05", State::Delivered, 1),
        found(3, "H57", State::Queued, 0),
    ];
    let update = Change { removed: vec![organ("H05"), organ("H57")], ..change(ChangeKind::Update) };
    let plan = planned(&update, &["H49", "H57.12"], &found).unwrap();
    let expected = [
        (0, Request::Update, Effect::Asked),
        (1, Request::Recall, Effect::Asked),
        (2, Request::Recall, Effect::Cancelled),
    ];
    assert_eq!(plan.effects, expected);
    assert_eq!((plan.addressed, plan.notices), (vec![0, 1], vec![1]));
    let replacement = planned(&change(ChangeKind::Replacement), &["H49"], &found).unwrap();
    let asked: Vec<_> = replacement.effects.iter().map(|(_, request, _)| *request).collect();
    assert_eq!(asked, [Request::Replacement, Request::Recall, Request::Recall]);
}

#[test]
fn of_two_changes_at_once_the_second_is_told() {
    let mut asked = found(1, "H49", State::Delivered, 1);
    asked.asked_by = Some(MessageId::parse("first").unwrap());
    let open = planned(&change(ChangeKind::Update), &["H49"], &[asked.clone()]).unwrap_err();
    assert_eq!(open.to_string(), "first asks H49 about delivery d1, and is not answered");
    assert!(planned(&change(ChangeKind::Update), &["H05"], &[asked]).is_ok(), "it does not concern H49");
    let mut gone = found(1, "H49", State::Cancelled, 0);
    gone.superseded_by = Some(MessageId::parse("first").unwrap());
    let gone = [gone];
    assert!(matches!(
        planned(&change(ChangeKind::Replacement), &["H49"], &gone),
        Err(NotPlanned::Superseded { .. })
    ));
    assert!(matches!(planned(&change(ChangeKind::Recall), &[], &gone), Err(NotPlanned::NothingLeft(_))));
}

#[test]
fn of_several_deliveries_of_a_document_the_last_is_asked_for() {
    let found = [
        found(1, "H49", State::Delivered, 1),
        found(2, "H49", State::Queued, 0),
        found(3, "H49", State::Delivered, 1),
    ];
    let plan = planned(&change(ChangeKind::Recall), &[], &found).unwrap();
    let effects: Vec<_> = plan.effects.iter().map(|(place, _, effect)| (*place, *effect)).collect();
    assert_eq!(effects, [(1, Effect::Cancelled), (2, Effect::Asked)]);
}

/// A delivery with both its machines, and all that was recorded of it.
#[derive(Debug)]
struct Both {
    recipient: OrganId,
    progress: Progress,
    standing: Standing,
    reports: Vec<Report>,
    kinds: Vec<ReceiptKind>,
    /// The delivery that carries what is asked.
    carrier: Option<u64>,
}

/// A sender, its document and its changes, as the ledger keeps them.
struct World {
    rng: fastrand::Rng,
    clock: i64,
    all: BTreeMap<u64, Both>,
    changes: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world =
            Self { rng: fastrand::Rng::with_seed(seed), clock: 1, all: BTreeMap::new(), changes: 0 };
        ORGANS.iter().for_each(|id| _ = world.deliver(organ(id)));
        world
    }

    fn deliver(&mut self, recipient: OrganId) -> u64 {
        let id = self.all.len() as u64 + 1;
        let progress = Progress::accepted(t(self.clock + self.rng.i64(5..60)));
        let (standing, reports, kinds) = (Standing::default(), Vec::new(), Vec::new());
        self.all.insert(id, Both { recipient, progress, standing, reports, kinds, carrier: None });
        id
    }

    fn step(&mut self, id: u64, event: &Event) {
        let at = t(self.clock);
        let both = self.all.get_mut(&id).unwrap();
        let before = both.progress;
        let Ok(Step::Moved(next, entry)) = delivery::step(&before, event, at, &POLICY, 0.0) else { return };
        assert!(!before.state.is_end(), "an end is an end");
        both.progress = next;
        both.kinds.extend(entry.map(|entry| entry.kind));
        if next.state.is_end() && next.state != State::Delivered {
            self.lapse(id);
            let carried: Vec<_> =
                self.all.iter().filter(|(_, b)| b.carrier == Some(id)).map(|(n, _)| *n).collect();
            carried.into_iter().for_each(|asked| self.lapse(asked));
        }
    }

    fn lapse(&mut self, id: u64) {
        let both = self.all.get_mut(&id).unwrap();
        if both.standing.request.take().is_some() {
            both.carrier = None;
            both.kinds.push(ReceiptKind::Lapsed);
        }
    }

    fn report(&mut self, id: u64, code: StatusCode) {
        let stage = self.rng.u8(..3).to_string();
        let status = Status { code, stated_at: None, staff: Staff::default() };
        let (both, report) = (self.all.get_mut(&id).unwrap(), Report { status, reason: stage });
        let was = both.standing;
        let parties = [Party::Sender, Party::Recipient];
        let decided = status::decide(&was, &both.progress, &parties, &report, both.reports.iter());
        let Ok(Decided::Recorded(next)) = decided else { return };
        both.standing = next;
        both.reports.push(report);
        both.kinds.push(ReceiptKind::Status);
        let is_known = both.progress.may_be_known() || was.request.is_some();
        assert!(is_known, "only what was handed over or is asked about has a status");
        if was.request.is_some() && next.request.is_none() {
            both.carrier = None;
            if code == StatusCode::ChangeAgreed && !both.progress.state.is_end() {
                self.step(id, &Event::Cancel { agreed: true, reason: String::new() });
                assert_eq!(self.all[&id].progress.state, State::Cancelled);
            }
        }
    }

    fn change(&mut self) {
        let kind = [ChangeKind::Recall, ChangeKind::Update, ChangeKind::Replacement][self.rng.usize(..3)];
        let mut change = change(kind);
        let some =
            |rng: &mut fastrand::Rng| ORGANS.iter().filter(|_| rng.bool()).map(|id| organ(id)).collect();
        let (removed, to): (Vec<_>, Vec<_>) = (some(&mut self.rng), some(&mut self.rng));
        change.removed = if kind == ChangeKind::Update { removed } else { Vec::new() };
        let to = if kind == ChangeKind::Recall { Vec::new() } else { to };
        let found: Vec<_> = self.all.iter().map(|(id, both)| both.found(*id)).collect();
        let addressees: Vec<_> = to.iter().map(|organ| (organ, None)).collect();
        let Ok(plan) = plan(&change, &addressees, &found) else { return };
        self.changes += 1;
        let mut carriers: BTreeMap<OrganId, u64> = BTreeMap::new();
        for place in &plan.addressed {
            carriers.insert(to[*place].clone(), self.deliver(to[*place].clone()));
        }
        for place in &plan.notices {
            let recipient = found[*place].recipient.clone();
            let id = self.deliver(recipient.clone());
            assert!(carriers.insert(recipient, id).is_none(), "one delivery for each recipient");
        }
        for (place, request, effect) in plan.effects {
            let (id, recipient) = (found[place].delivery.0, &found[place].recipient);
            let (known, before) = (found[place].progress.may_be_known(), found[place].progress.state);
            match effect {
                Effect::Cancelled => {
                    assert!(!known);
                    self.step(id, &Event::Cancel { agreed: false, reason: String::new() });
                    assert_eq!(self.all[&id].progress.state, State::Cancelled);
                }
                Effect::Asked => {
                    let carrier = carriers.get(recipient).copied().expect("who is asked is told");
                    let both = self.all.get_mut(&id).unwrap();
                    assert!(known && both.standing.request.is_none(), "one request at a time");
                    both.standing.request = Some(request);
                    both.carrier = Some(carrier);
                    both.kinds.push(ReceiptKind::Requested);
                }
                Effect::Nothing => {
                    let was_refused = found[place].status == Some(StatusCode::Refused);
                    assert!(before.is_end() || was_refused, "{before:?}");
                }
            }
        }
    }

    fn play(&mut self) {
        self.clock += self.rng.i64(0..6);
        let ids: Vec<_> = self.all.keys().copied().collect();
        let id = self.rng.choice(ids).expect("there is a document");
        let lease = Lease(self.all[&id].progress.attempt);
        let event = match self.rng.u8(..17) {
            0..4 => Event::Offer { hold: Hold::Stream, until: t(self.clock + 5) },
            4..7 => Event::Settle { lease, outcome: Outcome::Delivered },
            7 => Event::Settle { lease, outcome: Outcome::Rejected { reason: "r".into() } },
            8 => Event::Settle { lease, outcome: Outcome::Deferred { reason: "d".into(), retry_at: None } },
            9 => Event::Due,
            12 => {
                let then = Then::Spare { retry_at: t(self.clock), unsent: self.rng.bool() };
                Event::NotTaken { lease, cause: Cause::PushUnreachable, reason: String::new(), then }
            }
            10..12 if self.changes < 4 => return self.change(),
            _ => {
                let code = StatusCode::ALL[self.rng.usize(..StatusCode::ALL.len())];
                return self.report(id, code);
            }
        };
        self.step(id, &event);
    }

    /// What must be so at any time.
    fn check(&self) {
        for (id, both) in &self.all {
            let count = |kind| both.kinds.iter().filter(|known| **known == kind).count();
            let answered = [StatusCode::ChangeAgreed, StatusCode::ChangeRefused, StatusCode::Refused];
            let answers = both.reports.iter().filter(|report| answered.contains(&report.status.code)).count();
            let open = usize::from(both.standing.request.is_some());
            let (asked, lapsed) = (count(ReceiptKind::Requested), count(ReceiptKind::Lapsed));
            // 02 ends a request, and can be said without one.
            let least =
                open + lapsed + answers - usize::from(both.standing.status == Some(StatusCode::Refused));
            assert!(least <= asked && asked <= open + lapsed + answers, "d{id}: {both:?}");
            let ends =
                [ReceiptKind::Delivered, ReceiptKind::Rejected, ReceiptKind::Expired, ReceiptKind::Cancelled];
            let ends: usize = ends.into_iter().map(count).sum();
            assert_eq!(ends, usize::from(both.progress.state.is_end()), "d{id}: {both:?}");
            assert_eq!(both.progress.due_at.is_none(), both.progress.state.is_end());
            if both.standing.request.is_some() {
                let is_there = !both.progress.state.is_end() || both.progress.state == State::Delivered;
                let carrier = &self.all[&both.carrier.expect("it is carried")].progress.state;
                assert!(is_there && (!carrier.is_end() || *carrier == State::Delivered), "d{id}: {both:?}");
                assert!(both.can_say(StatusCode::ChangeAgreed) && both.can_say(StatusCode::ChangeRefused));
            }
            if both.progress.state == State::Cancelled && both.progress.may_be_known() {
                let agreed = |report: &Report| report.status.code == StatusCode::ChangeAgreed;
                assert!(
                    both.reports.iter().any(agreed),
                    "what was handed over is cancelled by its recipient"
                );
            }
        }
    }

    /// Left alone, everything ends.
    fn run_out(&mut self) {
        for id in self.all.keys().copied().collect::<Vec<_>>() {
            for _ in 0..20 {
                let Some(due) = self.all[&id].progress.due_at else { break };
                self.clock = self.clock.max(due.as_micros().div_euclid(1_000_000) + 1);
                self.step(id, &Event::Due);
            }
            assert!(self.all[&id].progress.state.is_end());
            // What is still asked was delivered, and so was what asks: its recipient has the word.
            if self.all[&id].standing.request.is_some() {
                assert_eq!(self.all[&id].progress.state, State::Delivered);
            }
        }
    }
}

impl Both {
    fn found(&self, id: u64) -> Found {
        let asked_by = self.carrier.filter(|_| self.standing.request.is_some());
        Found {
            delivery: DeliveryId(id),
            target: 0,
            recipient: self.recipient.clone(),
            addressed_to: None,
            progress: self.progress,
            status: self.standing.status,
            asked_by: asked_by.map(|id| MessageId::parse(&format!("m{id}")).unwrap()),
            superseded_by: None,
        }
    }

    fn can_say(&self, code: StatusCode) -> bool {
        let status = Status { code, stated_at: None, staff: Staff::default() };
        let report = Report { status, reason: "another".into() };
        status::decide(&self.standing, &self.progress, &[Party::Recipient], &report, self.reports.iter())
            .is_ok()
    }
}

/// No sequence over the machines of delivery, status and change, in any order, ends in a state without a way out, contradicts what was
/// recorded, or loses a receipt.
#[test]
fn any_sequence_of_all_three_makes_sense() {
    let (mut asked, mut cancelled, mut lapsed) = (0, 0, 0);
    for n in 0..SEQUENCES as u64 {
        let mut world = World::new(SEED + n);
        for _ in 0..world.rng.usize(4..28) {
            world.play();
            world.check();
        }
        world.run_out();
        world.check();
        let kinds = || world.all.values().flat_map(|both| &both.kinds);
        asked += kinds().filter(|kind| **kind == ReceiptKind::Requested).count();
        cancelled += kinds().filter(|kind| **kind == ReceiptKind::Cancelled).count();
        lapsed += kinds().filter(|kind| **kind == ReceiptKind::Lapsed).count();
    }
    assert!(
        asked > SEQUENCES / 4 && cancelled > SEQUENCES / 4 && lapsed > SEQUENCES / 50,
        "{asked} {cancelled} {lapsed}"
    );
}
