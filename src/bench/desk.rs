//! What the organs of one client process share, and what each of them keeps.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::documents::Route;
use super::error::Error;
use super::latency::Latency;
use super::pace::Pace;
use super::plan::{Outcome, Phase, Plan, Progress};
use super::process::Usage;
use super::received::ReceivedLog;
use super::sent::SentLog;
use crate::domain::time::{Clock, SystemClock, Timestamp};

/// The tasks of a client process. One that fails ends it.
pub type Tasks = JoinSet<Result<(), Error>>;

/// What the organs of a client process share.
pub struct Desk {
    /// What this process does.
    pub plan: Plan,
    /// How far it is.
    pub progress: Cell<Progress>,
    /// It is over.
    pub stop: CancellationToken,
    phases: watch::Sender<Option<Phase>>,
    organs: RefCell<Vec<Rc<Organ>>>,
    routes: Rc<[Route]>,
    cpu_before: Cell<Usage>,
}

/// One organ, as sender and as receiver.
pub struct Organ {
    /// Its number.
    pub number: usize,
    /// Documents it may still send before one ends.
    pub window: Semaphore,
    /// What it sent.
    pub sent: RefCell<SentLog>,
    /// What it received.
    pub received: RefCell<ReceivedLog>,
    /// From sending to the end, of documents it received in this phase; where the receiver is who knows.
    pub end_latency: RefCell<Latency>,
}

/// The documents an organ is to send, one after the other.
pub struct Outbox {
    desk: Rc<Desk>,
    organ: Rc<Organ>,
    phases: watch::Receiver<Option<Phase>>,
    pace: Option<Pace>,
}

/// The present moment, by the clock all processes of the machine share.
pub fn now() -> Timestamp {
    SystemClock.now()
}

impl Desk {
    /// The desk of a plan.
    pub fn new(plan: Plan) -> Self {
        let senders = plan.documents.organs.max(plan.senders);
        Self {
            routes: plan.documents.routes(senders).into(),
            plan,
            progress: Cell::default(),
            stop: CancellationToken::new(),
            phases: watch::Sender::new(None),
            organs: RefCell::default(),
            cpu_before: Cell::default(),
        }
    }

    /// An organ takes its seat.
    pub fn seat(&self, number: usize) -> Rc<Organ> {
        let organ = Rc::new(Organ {
            number,
            window: Semaphore::new(self.plan.window),
            sent: RefCell::new(SentLog::new(number)),
            received: RefCell::new(ReceivedLog::new(number, Rc::clone(&self.routes))),
            end_latency: RefCell::default(),
        });
        self.organs.borrow_mut().push(Rc::clone(&organ));
        organ
    }

    /// Begins a phase.
    pub fn run(&self, phase: Phase) {
        for organ in self.organs.borrow().iter() {
            organ.sent.borrow_mut().begin();
            organ.end_latency.borrow_mut().clear();
        }
        self.cpu_before.set(Usage::own().unwrap_or_default());
        let sending = self.phases.receiver_count();
        self.progress.set(Progress { phase: phase.number, sending, ..self.progress.get() });
        self.phases.send_replace(Some(phase));
    }

    /// Notes documents that ended.
    pub fn ended(&self, documents: usize) {
        let progress = self.progress.get();
        self.progress.set(Progress { ended: progress.ended + documents as u64, ..progress });
    }

    /// Tells of each phase that begins. Whoever asks is one of those who send in it.
    pub fn phases(&self) -> watch::Receiver<Option<Phase>> {
        self.phases.subscribe()
    }

    /// All that one of those who send in this phase had to send was so much.
    pub fn sent_all(&self, submitted: u64) {
        let Progress { submitted: before, sending, .. } = self.progress.get();
        self.progress.set(Progress {
            submitted: before + submitted,
            sending: sending - 1,
            ..self.progress.get()
        });
    }

    /// What came of it all.
    pub fn outcome(&self) -> Outcome {
        let cpu = Usage::own().unwrap_or_default().cpu.saturating_sub(self.cpu_before.get().cpu);
        let (mut accept_latency, mut end_latency) = (Latency::default(), Latency::default());
        let (mut sent, mut received, mut span) = (Vec::new(), Vec::new(), None);
        for organ in self.organs.borrow().iter() {
            let log = organ.sent.borrow();
            accept_latency.merge(&log.accept_latency);
            end_latency.merge(&log.end_latency);
            end_latency.merge(&organ.end_latency.borrow());
            span = joined(span, log.span.map(|(first, last)| (first.as_micros(), last.as_micros())));
            sent.push(log.sent.clone());
            received.push(organ.received.borrow().received.clone());
        }
        Outcome { sent, received, accept_latency, end_latency, span, cpu }
    }
}

/// The time from the earlier start to the later end.
pub fn joined(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    }
}

impl Outbox {
    /// The outbox of an organ. To be made before the first phase begins.
    pub fn new(desk: &Rc<Desk>, organ: &Rc<Organ>) -> Self {
        let phases = desk.phases.subscribe();
        Self { desk: Rc::clone(desk), organ: Rc::clone(organ), phases, pace: None }
    }

    /// The next document: its ordinal, and when it counts as submitted. Waits for its time and for room in the window; none
    /// when it is all over.
    pub async fn next(&mut self) -> Option<(u64, Timestamp)> {
        let stop = self.desk.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            next = self.next_due() => next,
        }
    }

    /// Another one, where nothing has to be waited for.
    pub async fn next_if_due(&mut self) -> Option<(u64, Timestamp)> {
        let is_due = self.pace.as_ref().is_some_and(Pace::is_due);
        if is_due && self.organ.window.available_permits() > 0 { self.next().await } else { None }
    }

    async fn next_due(&mut self) -> Option<(u64, Timestamp)> {
        loop {
            let Some(pace) = &mut self.pace else {
                self.phases.changed().await.ok()?;
                let plan = &self.desk.plan;
                let place = self.organ.number % plan.senders;
                let phase = self.phases.borrow_and_update();
                self.pace = phase.as_ref().map(|phase| Pace::new(phase, place, plan.senders));
                continue;
            };
            let Some(due) = pace.next().await else {
                self.pace = None;
                let progress = self.desk.progress.get();
                self.desk.progress.set(Progress { sending: progress.sending - 1, ..progress });
                continue;
            };
            self.organ.window.acquire().await.ok()?.forget();
            let at = due.unwrap_or_else(now);
            let ordinal = self.organ.sent.borrow_mut().submit(at);
            let progress = self.desk.progress.get();
            self.desk.progress.set(Progress { submitted: progress.submitted + 1, ..progress });
            return Some((ordinal, at));
        }
    }
}
