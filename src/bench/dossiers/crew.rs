//! Publishers of steps and one who follows: each of their measurements.

use std::cell::Cell;

use super::Steps;
use crate::bench::amqp::Queues;
use crate::bench::clients::Clients;
use crate::bench::documents::Documents;
use crate::bench::error::Error;
use crate::bench::gateway::Gateway;
use crate::bench::meter::Meter;
use crate::bench::options::Load;
use crate::bench::plan::{Amount, Door, Part, Plan};
use crate::bench::round::{self, Round};
use crate::bench::sizes::Sizes;
use crate::bench::verdict::Promise;
use crate::domain::time::{Clock, SystemClock};

/// Most steps of a warm-up.
const WARM_UP_MAX: u64 = 100_000;

/// The first organs publish, the one after them follows.
pub struct Crew<'a> {
    load: &'a Load,
    open: u64,
    organs: &'a [String],
    /// Each measurement has dossiers of its own, on whichever log.
    runs: Cell<u32>,
}

impl<'a> Crew<'a> {
    /// The publishers of a load, with so many dossiers in hand each.
    pub fn new(load: &'a Load, open: u64, organs: &'a [String]) -> Self {
        Self { load, open, organs, runs: Cell::new(0) }
    }

    /// All publish, and one follows meanwhile. A step has ended when it is answered and seen.
    pub async fn live(&self, door: &Door, own: &[Gateway], what: &str) -> Result<Round, Error> {
        let plans = self.live_plans(door);
        round::measured(&plans, self.load, self.warm_up(), own, Promise::Received, what).await
    }

    /// The plans of that.
    pub fn live_plans(&self, door: &Door) -> Vec<Plan> {
        let steps = self.steps();
        let publish = Part::Publish { door: door.clone(), steps: steps.clone() };
        let follow = Part::Follow { door: door.clone(), steps };
        self.plans(2, &publish, Some(&follow))
    }

    /// The same at a RabbitMQ node: one quorum queue.
    pub async fn baseline(&self, url: &str, what: &str) -> Result<Round, Error> {
        let run = format!("bench-{:x}", SystemClock.now().as_micros());
        let queues = Queues::declare(url, &run, &self.organs[self.load.organs..]).await?;
        let (steps, queue) = (self.steps(), queues.names()[0].clone());
        let publish = Part::PublishAmqp { url: url.to_owned(), queue: queue.clone(), steps: steps.clone() };
        let follow = Part::FollowAmqp { url: url.to_owned(), queue, steps };
        let plans = self.plans(2, &publish, Some(&follow));
        let measured = round::measured(&plans, self.load, self.warm_up(), &[], Promise::Received, what).await;
        // What went wrong before is the better thing to tell.
        let deleted = queues.delete().await;
        let round = measured?;
        deleted?;
        Ok(round)
    }

    /// So many steps are published, and nobody follows.
    pub async fn fill(&self, door: &Door, count: u64, what: &str) -> Result<Round, Error> {
        let publish = Part::Publish { door: door.clone(), steps: self.steps() };
        let plans = self.plans(1, &publish, None);
        let amount = Amount::Documents(count);
        let mut clients = Clients::start(&plans).await?;
        clients.run(amount, None, &Meter::new(what, amount)).await?;
        Ok(round::concluded(&plans, Promise::Accepted, &clients.finish().await?))
    }

    /// One reads all of a log from its start; there are so many events.
    pub async fn read(&self, door: &Door, own: &[Gateway], count: u64, what: &str) -> Result<Round, Error> {
        let part = Part::Read { door: door.clone(), steps: self.steps() };
        let plans = [Plan { mine: vec![self.load.organs], ..self.plan(1, &part) }];
        let load = Load { amount: Amount::Documents(count), rate_per_s: None, ..*self.load };
        let mut round =
            round::measured(&plans, &load, Amount::Documents(0), own, Promise::Received, what).await?;
        let verdict = &mut round.verdict;
        (verdict.submitted, verdict.accepted) = (count, count);
        verdict.verified = verdict.faults == 0 && verdict.duplicates == 0 && verdict.received == count;
        Ok(round)
    }

    /// A tenth, within limits.
    fn warm_up(&self) -> Amount {
        match self.load.amount {
            Amount::Documents(steps) => Amount::Documents((steps / 10).min(WARM_UP_MAX)),
            Amount::Time(_) => self.load.warm_up(),
        }
    }

    fn steps(&self) -> Steps {
        self.runs.set(self.runs.get() + 1);
        let Load { seed, size, .. } = *self.load;
        Steps { run: self.runs.get(), seed, size, open: self.open }
    }

    fn plan(&self, ends_each: u64, part: &Part) -> Plan {
        let Load { organs, seed, size, window, .. } = *self.load;
        Plan {
            documents: Documents {
                run: String::new(),
                seed,
                sizes: Sizes::Each(size),
                organs,
                to: vec![organs],
            },
            organs: self.organs.to_vec(),
            mine: Vec::new(),
            senders: organs,
            window,
            ends_each,
            part: part.clone(),
        }
    }

    /// A plan for each client process: whoever follows has one of its own, which begins before the others; the publishers are dealt out among those.
    fn plans(&self, ends_each: u64, publish: &Part, follow: Option<&Part>) -> Vec<Plan> {
        let Load { organs, clients, .. } = *self.load;
        let mine = |client: usize| (0..organs).skip(client).step_by(clients).collect();
        let publishers =
            (0..clients).map(|client| Plan { mine: mine(client), ..self.plan(ends_each, publish) });
        let followers = follow.map(|part| Plan { mine: vec![organs], ..self.plan(ends_each, part) });
        followers.into_iter().chain(publishers).collect()
    }
}
