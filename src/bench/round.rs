//! One measurement: client processes connect, warm up, are measured, and what they saw is judged.

use std::time::{Duration, Instant};

use super::amqp::Queues;
use super::clients::Clients;
use super::desk::joined;
use super::documents::Documents;
use super::error::Error;
use super::gateway::Gateway;
use super::latency::Latency;
use super::meter::Meter;
use super::options::Load;
use super::plan::{Amount, Door, Outcome, Part, Plan};
use super::process::{Usage, machine_cpu};
use super::sizes::Sizes;
use super::verdict::{Promise, Verdict};
use crate::domain::time::{Clock, SystemClock};

/// While thousands of queues are declared, nothing may end for so long.
const DECLARING_SILENCE_MAX: Duration = Duration::from_secs(300);

/// What one measurement gave.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Documents that ended in the measured phase.
    pub documents: u64,
    /// From the first submission to the last end.
    pub took: Duration,
    /// From submitting to the answer.
    pub accept_latency: Latency,
    /// From submitting to the end.
    pub end_latency: Latency,
    /// Processor time of the client processes.
    pub clients_cpu: Duration,
    /// Processor time of the gateway, of all its nodes.
    pub gateway_cpu: Duration,
    /// The most memory one node had, bytes.
    pub gateway_rss_peak_bytes: u64,
    /// Processor time of whatever else ran on the machine: RabbitMQ, PostgreSQL, the system.
    pub others_cpu: Duration,
    /// What was checked.
    pub verdict: Verdict,
}

/// How all collectors came to have their first document.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// From the first connection until all collectors were connected.
    pub connected_in: Duration,
    /// And until each mailbox had had a document.
    pub served_in: Duration,
    /// The most memory one node had until then, bytes.
    pub rss_peak_bytes: u64,
}

/// What the nodes of a gateway and the whole machine have taken so far.
pub struct Taken {
    gateway: Usage,
    machine: Duration,
}

impl Taken {
    /// By now.
    pub fn now(nodes: &[Gateway]) -> Result<Self, Error> {
        let mut gateway = Usage::default();
        for node in nodes {
            gateway = gateway.and(&node.usage()?);
        }
        let machine = machine_cpu().map_err(Error::system("the processors' time"))?;
        Ok(Self { gateway, machine })
    }
}

impl Round {
    /// The round with what was taken between two moments, its clients' part being known.
    #[must_use]
    pub fn with(mut self, before: &Taken, after: &Taken) -> Self {
        self.gateway_cpu = after.gateway.cpu.saturating_sub(before.gateway.cpu);
        self.gateway_rss_peak_bytes = after.gateway.rss_peak_bytes;
        let all = after.machine.saturating_sub(before.machine);
        self.others_cpu = all.saturating_sub(self.gateway_cpu + self.clients_cpu);
        self
    }

    /// Documents a second.
    pub fn throughput_per_s(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 { self.documents as f64 / seconds } else { 0.0 }
    }
}

/// Who sends what to whom.
pub struct Cast<'a> {
    /// The load.
    pub load: &'a Load,
    /// The ids of all organs.
    pub organs: &'a [String],
}

impl Cast<'_> {
    /// The organs 0 to n write to each other through a gateway; `own` are its nodes, where they are known.
    pub async fn exchange(&self, door: &Door, own: &[Gateway], what: &str) -> Result<Round, Error> {
        let plans = self.exchange_plans(door, Sizes::Each(self.load.size));
        measured(&plans, self.load, self.load.warm_up(), own, Promise::Receipted, what).await
    }

    /// The plans of that, with documents of these sizes.
    pub fn exchange_plans(&self, door: &Door, sizes: Sizes) -> Vec<Plan> {
        let documents = Documents { sizes, ..self.documents(Vec::new()) };
        self.plans(&documents, 0, &Part::Exchange(door.clone()))
    }

    /// The same through a RabbitMQ node.
    pub async fn baseline(&self, url: &str, what: &str) -> Result<Round, Error> {
        let documents = self.documents(Vec::new());
        let queues = Queues::declare(url, &documents.run, &self.organs[..self.load.organs]).await?;
        let part = Part::Amqp { url: url.to_owned(), queues: queues.names().to_vec() };
        let plans = self.plans(&documents, 0, &part);
        let warm_up = self.load.warm_up();
        let measured = measured(&plans, self.load, warm_up, &[], Promise::Received, what).await;
        // What went wrong before is the better thing to tell.
        let deleted = queues.delete().await;
        let round = measured?;
        deleted?;
        Ok(round)
    }

    /// The organs from n to 2n fill the mailboxes of others with so many documents in all, evenly.
    pub async fn fill(&self, door: &Door, to: Vec<usize>, count: u64, what: &str) -> Result<Round, Error> {
        let plans = self.plans(&self.documents(to), self.load.organs, &Part::Fill(door.clone()));
        let amount = Amount::Documents(count);
        let mut clients = Clients::start(&plans).await?;
        clients.run(amount, None, &Meter::new(what, amount)).await?;
        Ok(concluded(&plans, Promise::Accepted, &clients.finish().await?))
    }

    /// Connects organs that are a burden; they stay until this is dropped.
    pub async fn stall(&self, door: &Door, organs: &[usize], slow: usize) -> Result<Clients, Error> {
        let part = Part::Stall { door: door.clone(), slow };
        let plan = Plan { mine: organs.to_vec(), ..self.plan(&self.documents(Vec::new()), &part) };
        Clients::start(&[plan]).await
    }

    /// Measures the exchange at two gateways of our own, in turn.
    pub async fn in_turn(
        &self,
        rounds: usize,
        gateways: [(&Gateway, &str); 2],
    ) -> Result<[Vec<Round>; 2], Error> {
        let mut measured = [Vec::new(), Vec::new()];
        for number in 1..=rounds {
            for (rounds, (gateway, name)) in measured.iter_mut().zip(gateways) {
                let what = format!("{number}. {name}");
                rounds.push(self.exchange(&gateway.door, std::slice::from_ref(gateway), &what).await?);
            }
        }
        Ok(measured)
    }

    /// The certified organs write to all, and each collects for those below it as well: first one document to each mailbox, then
    /// the load. Gives how long connecting took, how long it took until every mailbox had got its document, and the round.
    pub async fn on_behalf(
        &self,
        door: &Door,
        own: &[Gateway],
        what: &str,
    ) -> Result<(Opening, Round), Error> {
        let Load { amount, rate_per_s, .. } = *self.load;
        let all: Vec<usize> = (0..self.organs.len()).collect();
        let one_each = Amount::Documents(all.len() as u64);
        let plans = self.plans(&self.documents(all), 0, &Part::OnBehalf(door.clone()));
        let started = Instant::now();
        let mut clients = Clients::start(&plans).await?.patient(DECLARING_SILENCE_MAX);
        let connected_in = started.elapsed();
        clients.run(one_each, None, &Meter::new(format!("{what}, one each"), one_each)).await?;
        let served_in = started.elapsed();
        let before = Taken::now(own)?;
        clients.run(amount, rate_per_s, &Meter::new(what, amount)).await?;
        let after = Taken::now(own)?;
        let round = concluded(&plans, Promise::Receipted, &clients.finish().await?).with(&before, &after);
        let opening = Opening { connected_in, served_in, rss_peak_bytes: before.gateway.rss_peak_bytes };
        Ok((opening, round))
    }

    fn documents(&self, to: Vec<usize>) -> Documents {
        let Load { seed, size, organs, .. } = *self.load;
        let run = format!("bench-{:x}", SystemClock.now().as_micros());
        Documents { run, seed, sizes: Sizes::Each(size), organs, to }
    }

    fn plan(&self, documents: &Documents, part: &Part) -> Plan {
        Plan {
            documents: documents.clone(),
            organs: self.organs.to_vec(),
            mine: Vec::new(),
            senders: self.load.organs,
            window: self.load.window,
            ends_each: 1,
            part: part.clone(),
        }
    }

    /// A plan for each client process: the organs from `first` on are dealt out among them.
    fn plans(&self, documents: &Documents, first: usize, part: &Part) -> Vec<Plan> {
        let Load { organs, clients, .. } = *self.load;
        let mine =
            |client: usize| (0..organs).skip(client).step_by(clients).map(|organ| first + organ).collect();
        (0..clients).map(|client| Plan { mine: mine(client), ..self.plan(documents, part) }).collect()
    }
}

/// Has the clients of these plans warm up, where there is anything to warm up with, and measures them.
pub async fn measured(
    plans: &[Plan],
    load: &Load,
    warm_up: Amount,
    own: &[Gateway],
    promise: Promise,
    what: &str,
) -> Result<Round, Error> {
    let Load { amount, rate_per_s, .. } = *load;
    let mut clients = Clients::start(plans).await?;
    if warm_up != Amount::Documents(0) {
        clients.run(warm_up, rate_per_s, &Meter::new(format!("{what}, warm-up"), warm_up)).await?;
    }
    let before = Taken::now(own)?;
    clients.run(amount, rate_per_s, &Meter::new(what, amount)).await?;
    let after = Taken::now(own)?;
    Ok(concluded(plans, promise, &clients.finish().await?).with(&before, &after))
}

/// What the clients of these plans saw, judged.
pub fn concluded(plans: &[Plan], promise: Promise, outcomes: &[Outcome]) -> Round {
    let mut round = Round::default();
    let mut span = None;
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        round.accept_latency.merge(&outcome.accept_latency);
        round.end_latency.merge(&outcome.end_latency);
        round.clients_cpu += outcome.cpu;
        span = joined(span, outcome.span);
        sent.extend(outcome.sent.iter().cloned());
        if promise != Promise::Accepted {
            received.extend(outcome.received.iter().cloned());
        }
    }
    let latency = if promise == Promise::Accepted { &round.accept_latency } else { &round.end_latency };
    round.documents = latency.count();
    round.took = span.map_or(Duration::ZERO, |(first, last)| {
        Duration::from_micros(u64::try_from(last - first).unwrap_or_default())
    });
    if let Some(plan) = plans.first() {
        round.verdict = Verdict::of(&plan.documents, promise, &sent, &received);
    }
    round
}
