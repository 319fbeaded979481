//! Systems that follow. What they are shown and how far they are is one line of a journal, so that after their death they go on exactly there.

use std::path::Path;

use tokio::sync::watch;
use truc::client::CallError;
use truc::proto::v1;

use crate::job::{Job, Role};
use crate::journal::Journal;
use crate::line::{Client, Line, passing};
use crate::mark::Mark;
use crate::plan;

/// The extension of the journal of one who keeps its own cursor.
pub const EXTENSION: &str = "shown";
/// The name of the shared consumer, and its shares.
const CONSUMER: &str = "thong-ke";
pub const SHARES: u32 = 2;
/// The shared consumer commits its place after so many responses.
const COMMIT_EVERY: usize = 8;

/// The extension of the journal of a share.
pub fn share_extension(share: u32) -> String {
    format!("{EXTENSION}-{share}")
}

/// Follows with an own cursor: all, or the procedures of a ministry.
pub async fn follow(job: &Job, ended: watch::Receiver<bool>) {
    let procedure_codes = job.procedures().into_iter().map(plan::procedure).collect();
    let filter = match job.role {
        Role::Ministry => Some(v1::DossierFilter { procedure_codes, ..Default::default() }),
        _ => None,
    };
    let request = v1::SubscribeRequest { filter, ..Default::default() };
    Follower::open(job, &job.journal(EXTENSION), request).run(ended).await;
}

/// Follows by two shares at once, whose places the gateway keeps.
pub async fn count(job: &Job, ended: watch::Receiver<bool>) {
    let share = |share| {
        let consumer = Some(v1::ConsumerShare { consumer: CONSUMER.to_owned(), share, shares: SHARES });
        let request = v1::SubscribeRequest { consumer, ..Default::default() };
        Follower::open(job, &job.journal(&share_extension(share)), request).run(ended.clone())
    };
    tokio::join!(share(0), share(1));
}

struct Follower {
    request: v1::SubscribeRequest,
    /// The last cursor; none while the gateway keeps the place.
    cursor: String,
    journal: Journal,
    line: Line,
    /// Responses since the last commit.
    responses: usize,
}

impl Follower {
    fn open(job: &Job, journal: &Path, request: v1::SubscribeRequest) -> Self {
        let (journal, last) = Journal::open(journal);
        let known = last.as_deref().and_then(|line| line.split('\t').next()).unwrap_or_default();
        let cursor = if request.consumer.is_some() { String::new() } else { known.to_owned() };
        Self { request, cursor, journal, line: Line::new(job), responses: 0 }
    }

    /// Follows live until told that nothing more will come, then to the end of the log.
    async fn run(mut self, mut ended: watch::Receiver<bool>) {
        loop {
            let is_end = *ended.borrow_and_update();
            let mut client = self.line.connect().await;
            let followed = tokio::select! {
                followed = self.read(&mut client, is_end) => followed,
                Ok(()) = ended.changed() => continue,
            };
            match followed {
                Ok(()) => return,
                Err(error) => passing(&error),
            }
        }
    }

    /// Reads until there is no more, if that is wanted.
    async fn read(&mut self, client: &mut Client, until_now: bool) -> Result<(), CallError> {
        let request = v1::SubscribeRequest { cursor: self.cursor.clone(), until_now, ..self.request.clone() };
        let mut events = client.subscribe(request).await?.into_inner();
        while let Some(response) = events.message().await? {
            self.line.answered();
            self.note(&response);
            self.responses += 1;
            if self.responses.is_multiple_of(COMMIT_EVERY) {
                self.commit(client, response.cursor).await?;
            }
        }
        if until_now { Ok(()) } else { Err(CallError::stream_ended()) }
    }

    fn note(&mut self, response: &v1::SubscribeResponse) {
        let mut text = response.cursor.clone();
        for event in &response.events {
            text.push_str(&format!("\t{}", Mark::shown(event)));
        }
        self.journal.add(&text);
        if self.request.consumer.is_none() {
            self.cursor.clone_from(&response.cursor);
        }
    }

    async fn commit(&self, client: &mut Client, cursor: String) -> Result<(), CallError> {
        let Some(consumer) = self.request.consumer.clone() else { return Ok(()) };
        let request = v1::CommitCursorRequest { consumer: Some(consumer), cursor, ..Default::default() };
        client.commit_cursor(request).await?;
        Ok(())
    }
}
