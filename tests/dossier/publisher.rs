//! A system that publishes: it sends its script, notes what was answered, and after its death goes on with what was not.

use futures_util::StreamExt;
use truc::client::CallError;
use truc::domain::time::{Clock, SystemClock, Timestamp};
use truc::proto::v1;

use crate::job::{self, ANSWERED, Job, PUBLISHED};
use crate::journal::Journal;
use crate::line::{Line, passing};
use crate::mark::Mark;
use crate::plan::{Planned, owners};
use crate::script::{Place, Script};

/// The extension of its journal: lines of the number of a request and what was answered, ...
pub const EXTENSION: &str = "published";
/// ... and one of the time at which nobody waits any more for what was forgotten.
pub const REST: &str = "rest";
/// One in so many owners sends each request by itself.
const UNARY_EVERY: usize = 4;

/// The script of the owner of these dossiers.
pub fn script(owner: usize, seed: u64, dossiers: &[Planned]) -> Script {
    Script::of(dossiers, seed ^ owner as u64)
}

/// Publishes all of a system's dossiers.
pub async fn publish(job: &Job) {
    let owners = owners();
    let owner = job.owner(&owners).unwrap();
    let dossiers = job.plan.of(owner, &owners);
    let script = script(owner, job.plan.seed, &dossiers);
    let mut desk = Desk::open(job, &dossiers, &script);
    let until = if owner.is_multiple_of(UNARY_EVERY) { Manner::One } else { Manner::Stream };
    desk.send(until, script.forgotten_from).await;
    desk.rest(job).await;
    desk.send(until, script.batches.len()).await;
    job::tell(PUBLISHED);
}

#[derive(Clone, Copy)]
enum Manner {
    One,
    Stream,
}

struct Desk<'a> {
    dossiers: &'a [Planned],
    script: &'a Script,
    journal: Journal,
    line: Line,
    /// The first request without an answer.
    next: usize,
    answered: usize,
    rest: Option<Timestamp>,
}

impl<'a> Desk<'a> {
    fn open(job: &Job, dossiers: &'a [Planned], script: &'a Script) -> Self {
        let (journal, last) = Journal::open(&job.journal(EXTENSION));
        let last = last.unwrap_or_default();
        let mut words = last.split('\t');
        let (mut next, mut rest) = (0, None);
        match (words.next().unwrap_or_default(), words.next()) {
            ("", _) => {}
            (REST, Some(until)) => {
                rest = Some(Timestamp::from_micros(until.parse().unwrap()));
                next = script.forgotten_from;
            }
            (batch, _) => next = batch.parse::<usize>().unwrap() + 1,
        }
        let answered = script.batches[..next].iter().map(Vec::len).sum();
        Self { dossiers, script, journal, line: Line::new(job), next, answered, rest }
    }

    /// Sends until all requests before this one are answered.
    async fn send(&mut self, manner: Manner, end: usize) {
        while self.next < end {
            let sent = match manner {
                Manner::One => self.one_by_one(end).await,
                Manner::Stream => self.on_a_stream(end).await,
            };
            sent.unwrap_or_else(|error| passing(&error));
        }
    }

    async fn one_by_one(&mut self, end: usize) -> Result<(), CallError> {
        let mut client = self.line.connect().await;
        while self.next < end {
            let steps = steps(self.dossiers, &self.script.batches[self.next]);
            let answer =
                client.publish(v1::PublishRequest { organ: String::new(), steps }).await?.into_inner();
            self.note(&answer.results);
        }
        Ok(())
    }

    async fn on_a_stream(&mut self, end: usize) -> Result<(), CallError> {
        let mut client = self.line.connect().await;
        // Made as they are taken.
        let all: Vec<_> = self.dossiers.to_vec();
        let batches = self.script.batches[self.next..end].to_vec();
        let requests = tokio_stream::iter(batches)
            .map(move |batch| v1::PublishStreamRequest { organ: String::new(), steps: steps(&all, &batch) });
        let mut answers = client.publish_stream(requests).await?.into_inner();
        while self.next < end {
            let answer = answers.message().await?.ok_or_else(CallError::stream_ended)?;
            if let Some(refusal) = &answer.refusal {
                return Err(CallError::from(refusal));
            }
            self.note(&answer.results);
        }
        Ok(())
    }

    /// Notes the answer to the next request.
    fn note(&mut self, results: &[v1::PublishResult]) {
        let batch = &self.script.batches[self.next];
        assert_eq!(results.len(), batch.len(), "one result for each step");
        let mut text = self.next.to_string();
        for (sent, result) in steps(self.dossiers, batch).iter().zip(results) {
            assert_eq!(result.refusal, None, "{sent:?}");
            text.push_str(&format!("\t{}", Mark::told(sent, result)));
        }
        self.journal.add(&text);
        self.line.answered();
        self.next += 1;
        self.answered += results.len();
        job::tell(&format!("{ANSWERED}{}", self.answered));
    }

    /// Waits until what was held for the forgotten steps has been shown without them.
    async fn rest(&mut self, job: &Job) {
        if self.next != self.script.forgotten_from {
            return;
        }
        let until = self.rest.unwrap_or_else(|| {
            let until = SystemClock.now().plus(job.hold);
            self.journal.add(&format!("{REST}\t{}", until.as_micros()));
            until
        });
        tokio::time::sleep(until.since(SystemClock.now())).await;
    }
}

fn steps(dossiers: &[Planned], batch: &[Place]) -> Vec<v1::DossierStep> {
    batch.iter().map(|(dossier, step)| dossiers[*dossier].message(*step)).collect()
}
