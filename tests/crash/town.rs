//! Everybody who takes part: who sends, who receives and how, who watches.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::checker::Ending;
use crate::collector::Collector;
use crate::desk::Desk;
use crate::document::{Author, RECIPIENTS, SENDERS};
use crate::fetcher::Fetcher;
use crate::journal::{Fact, Journal};
use crate::line::Line;
use crate::sender::Sender;
use crate::trial::Trial;
use crate::watcher::Watcher;

/// How long the last gateways get to bring everything to its end.
const DRAIN_MAX: Duration = Duration::from_secs(60);
/// Stories asked for at a time.
const STORIES_AT_ONCE: usize = 16;

/// How the clients behave.
#[derive(Clone, Copy)]
pub struct Manners {
    /// Reasons for which their calls may fail.
    pub tolerated: &'static [&'static str],
    /// Of a hundred submissions that were not answered, those that are never repeated.
    pub given_up_percent: u8,
    /// Everybody asks for the shortest lease.
    pub short_leases: bool,
}

/// The clients of all organs, at work.
pub struct Town {
    manners: Manners,
    pub journal: Arc<Journal>,
    pub load: Arc<Semaphore>,
    tidy: CancellationToken,
    stop: CancellationToken,
    senders: Vec<JoinHandle<()>>,
    recipients: Vec<JoinHandle<()>>,
    watchers: Vec<JoinHandle<Watcher>>,
}

impl Town {
    /// Sets everybody to work.
    pub fn work(trial: &Trial, manners: Manners, rng: &mut fastrand::Rng) -> Self {
        let mut town = Self {
            manners,
            journal: Arc::new(Journal::tolerating(manners.tolerated)),
            load: Arc::new(Semaphore::new(0)),
            tidy: CancellationToken::new(),
            stop: CancellationToken::new(),
            senders: Vec::new(),
            recipients: Vec::new(),
            watchers: Vec::new(),
        };
        for organ in SENDERS {
            let line = town.line(trial, organ);
            town.send(&line, rng);
            town.watch(&line, "patient", 0, rng);
        }
        let line = town.line(trial, SENDERS[0]);
        town.watch(&line, "impatient", 20, rng);
        town.receive(trial, rng);
        town
    }

    fn line(&self, trial: &Trial, organ: &'static str) -> Line {
        Line::new(trial.site(), organ, trial.switchboard.clone(), self.stop.clone())
    }

    fn send(&mut self, line: &Line, rng: &mut fastrand::Rng) {
        let mut sender = |kind: &str| {
            let name = format!("{}-{kind}", line.organ);
            let author = Author::new(line.organ, &name, rng.fork());
            let (journal, load) = (Arc::clone(&self.journal), Arc::clone(&self.load));
            let given_up_percent = self.manners.given_up_percent;
            Sender { name, line: line.clone(), journal, load, author, rng: rng.fork(), given_up_percent }
        };
        self.senders.push(tokio::spawn(sender("stream").pipelined()));
        self.senders.push(tokio::spawn(sender("unary-a").one_by_one()));
        self.senders.push(tokio::spawn(sender("unary-b").one_by_one()));
    }

    fn watch(&mut self, line: &Line, kind: &str, disconnects_percent: u8, rng: &mut fastrand::Rng) {
        let watcher = Watcher {
            name: format!("{}-{kind}-watcher", line.organ),
            line: line.clone(),
            journal: Arc::clone(&self.journal),
            rng: rng.fork(),
            cursor: String::new(),
            disconnects_percent,
        };
        self.watchers.push(tokio::spawn(watcher.run()));
    }

    fn receive(&mut self, trial: &Trial, rng: &mut fastrand::Rng) {
        let lines = RECIPIENTS.map(|(organ, _)| self.line(trial, organ));
        let mut desk = |line: usize, kind: &str| {
            let line = lines[line].clone();
            let name = format!("{}-{kind}", line.organ);
            let (journal, tidy) = (Arc::clone(&self.journal), self.tidy.clone());
            Desk { name, line, journal, rng: rng.fork(), tidy, unanswered: Vec::new() }
        };
        let short_lease = self.manners.short_leases;
        let collector = |desk, window, pause_ms_max, hangs_up| Collector {
            desk,
            window,
            pause_ms_max,
            hangs_up,
            short_lease,
        };
        let collectors = [
            // Two share the work, with very different windows.
            collector(desk(0, "wide"), 64, 0, false),
            collector(desk(0, "narrow"), 3, 0, false),
            collector(desk(1, "widest"), 500, 0, false),
            collector(desk(3, "slow"), 32, 8, false),
            collector(desk(4, "careless"), 24, 0, true),
            collector(desk(4, "hasty"), 48, 3, true),
            // A stream beside a poller.
            collector(desk(5, "stream"), 16, 2, false),
        ];
        let fetchers = [
            Fetcher { desk: desk(2, "poller-a"), max_deliveries: 20 },
            Fetcher { desk: desk(2, "poller-b"), max_deliveries: 50 },
            Fetcher { desk: desk(5, "poller"), max_deliveries: 5 },
        ];
        self.recipients.extend(collectors.into_iter().map(|client| tokio::spawn(client.run())));
        self.recipients.extend(fetchers.into_iter().map(|client| tokio::spawn(client.run())));
    }

    /// Ends the load, waits until every delivery has ended, and gives what was seen.
    pub async fn end(self, trial: &Trial) -> Vec<Fact> {
        self.load.close();
        self.tidy.cancel();
        let deadline = tokio::time::Instant::now() + DRAIN_MAX;
        for sender in self.senders {
            if tokio::time::timeout_at(deadline, sender).await.is_err() {
                self.journal.broken("senders", "submissions were not answered");
            }
        }
        // Whatever is still open then, the checker will name.
        while self.journal.open() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.stop.cancel();
        for recipient in self.recipients {
            recipient.await.unwrap();
        }
        for watcher in self.watchers {
            let watcher = watcher.await.unwrap();
            let agency = trial.site().agency(trial.running(), watcher.line.organ).await;
            watcher.finish(&agency).await;
        }
        self.journal.take()
    }
}

/// What the gateway says at the end, read anew.
pub async fn read(trial: &Trial, facts: &[Fact]) -> Ending {
    let mut ending = Ending::default();
    for organ in SENDERS {
        let agency = trial.site().agency(trial.running(), organ).await;
        ending.logs.insert(organ.to_owned(), agency.receipts("").await.0);
        let mut ids: Vec<_> = facts.iter().filter_map(|fact| submitted_by(fact, organ)).collect();
        ids.sort_unstable();
        ids.dedup();
        let stories = futures_util::stream::iter(ids).map(|id| {
            let agency = agency.clone();
            async move { (id, agency.track("", id).await) }
        });
        let stories: Vec<_> = stories.buffer_unordered(STORIES_AT_ONCE).collect().await;
        for (id, story) in stories {
            match story {
                Ok(story) => drop(ending.stories.insert(id.to_owned(), story)),
                Err(status) => assert_eq!(crate::site::reason(&status), "MESSAGE_NOT_FOUND", "{status}"),
            }
        }
    }
    for (organ, _) in RECIPIENTS {
        let agency = trial.site().agency(trial.running(), organ).await;
        let request = truc::proto::v1::ListReceivedRequest { open_only: true, ..Default::default() };
        let open = agency.exchange.clone().list_received(request).await.unwrap().into_inner();
        let ids = open.messages.into_iter().filter_map(|message| message.delivery);
        ending.open.extend(ids.map(|delivery| delivery.delivery_id));
    }
    ending
}

fn submitted_by<'a>(fact: &'a Fact, organ: &str) -> Option<&'a str> {
    match fact {
        Fact::Submitting(document) if document.sender == organ => Some(&document.message_id),
        _ => None,
    }
}
