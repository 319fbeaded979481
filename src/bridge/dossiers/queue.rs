//! An organ's queue of events: what goes into it, and how much.

use std::sync::Arc;
use std::time::Duration;

use super::outlet::confirmed;
use super::{Dossiers, written};
use crate::amqp::topology::{Declarer, Queue};
use crate::amqp::{Link, Lost, Outgoing, Publisher, Settled};
use crate::bridge::codec::Form;
use crate::bridge::office::Office;
use crate::directory::{self, vietnam_day};
use crate::domain::organ_id::OrganId;
use crate::dossiers::Shown;
use crate::intake::sight::{Grant, Sight};

/// Before a full queue is looked at again, if its organ takes something out of it; and the longest such wait.
const FULL_DELAY_MIN: Duration = Duration::from_millis(500);
const FULL_DELAY_MAX: Duration = Duration::from_secs(10);

/// One queue.
pub struct AgencyQueue {
    office: Arc<Office>,
    publisher: Publisher,
    link: Link,
    declarer: Declarer,
    organ: OrganId,
    queue: Queue,
    wanted: Vec<Grant>,
    sight: Sight,
    length_max: u32,
    /// How many more it takes; none when that has to be looked up.
    room: Option<u32>,
    full: Option<Full>,
}

/// That it is full.
struct Full {
    messages: u32,
    delay: Duration,
}

impl AgencyQueue {
    /// The queue of an organ that wants one.
    pub fn new(
        dossiers: &Dossiers,
        office: &Arc<Office>,
        publisher: Publisher,
        link: Link,
        organ: OrganId,
    ) -> Self {
        let today = vietnam_day(office.clock.now());
        Self {
            queue: office.topology.dossiers(&organ),
            wanted: dossiers.wanted.iter().filter(|wanted| wanted.reader == organ).cloned().collect(),
            sight: Sight::of(&organ, &dossiers.grants, &office.directory, today, dossiers.rule),
            length_max: dossiers.queue_length,
            office: Arc::clone(office),
            publisher,
            link,
            declarer: Declarer::default(),
            organ,
            room: None,
            full: None,
        }
    }

    fn form(&self) -> Option<Form> {
        match self.office.directory.load().get(&self.organ)?.link {
            directory::Link::Grpc => None,
            directory::Link::Amqp => Some(Form::Protobuf),
            directory::Link::AmqpJson => Some(Form::Json),
        }
    }

    /// Whether the organ is attached by AMQP. Its queue is there then.
    pub async fn is_open(&mut self) -> Result<bool, Lost> {
        let is_open = self.form().is_some();
        if is_open && self.room.is_none() {
            self.look().await?;
        }
        Ok(is_open)
    }

    /// RabbitMQ may have lost it.
    pub fn look_again(&mut self) {
        self.room = None;
    }

    /// Those of a page that the organ wants and may follow.
    pub fn choose(&mut self, page: &[Arc<Shown>]) -> Vec<Arc<Shown>> {
        self.sight.refresh(vietnam_day(self.office.clock.now()));
        let Self { wanted, sight, .. } = self;
        let mut goes = |event: &Shown| {
            let procedure = event.procedure();
            wanted.iter().any(|wanted| wanted.covers(&event.owner, procedure))
                && sight.sees(&event.owner, procedure)
        };
        page.iter().filter(|event| goes(event)).cloned().collect()
    }

    /// Room for so many events, or for some of them, or how long to wait. What would make RabbitMQ refuse one and take the next is not
    /// begun: the queue's order would be lost.
    pub async fn room(&mut self, events: usize) -> Result<Result<usize, Duration>, Lost> {
        let enough = |room: u32| usize::try_from(room).is_ok_and(|room| room >= events);
        if !self.room.is_some_and(enough) {
            let messages = self.look().await?;
            let room = self.room.unwrap_or(0);
            let least = u32::try_from(events).unwrap_or(u32::MAX).min(self.length_max / 10);
            if room < least.max(1) {
                return Ok(Err(self.wait(messages)));
            }
        }
        if self.full.take().is_some() {
            self.office.metrics.bridge_dossier_queues_full.decrement(1.0);
        }
        Ok(Ok(events.min(usize::try_from(self.room.unwrap_or(0)).unwrap_or(usize::MAX))))
    }

    /// Until it is looked at again: soon while its organ takes something, ever later while it does not.
    fn wait(&mut self, messages: u32) -> Duration {
        let delay = match &self.full {
            None => {
                self.office.metrics.bridge_dossier_queues_full.increment(1.0);
                tracing::warn!(organ = %self.organ, messages, "an organ's queue of dossiers is full; the log keeps what does not fit");
                FULL_DELAY_MIN
            }
            Some(full) if messages < full.messages => FULL_DELAY_MIN,
            Some(full) => (full.delay * 2).min(FULL_DELAY_MAX),
        };
        self.full = Some(Full { messages, delay });
        delay
    }

    /// Declares it, and finds out how many messages wait in it.
    async fn look(&mut self) -> Result<u32, Lost> {
        let declared = self.declarer.declare(&self.link, &self.queue).await?;
        for difference in declared.differences {
            tracing::error!(difference, "RabbitMQ has a queue otherwise than the gateway declares it");
        }
        self.room = Some(self.length_max.saturating_sub(declared.messages));
        Ok(declared.messages)
    }

    /// Publishes; gives how many, from the first on, are in the queue.
    pub async fn publish(&mut self, events: &[Arc<Shown>], previous: Option<u64>) -> usize {
        let Some(form) = self.form() else { return 0 };
        let before = std::iter::once(previous).chain(events.iter().map(|event| Some(event.position)));
        let outgoing = events.iter().zip(before).map(|(event, previous)| Outgoing {
            // The default exchange: what nobody has declared comes back.
            exchange: String::new(),
            routing_key: self.queue.name.clone(),
            properties: written::properties(event, previous, form),
            body: written::body(event, form),
        });
        let settled = self.publisher.publish(outgoing.collect()).await.await;
        let taken = confirmed(&settled);
        let published = u32::try_from(settled.len()).unwrap_or(u32::MAX);
        self.room = match taken == settled.len() {
            true => self.room.map(|room| room.saturating_sub(published)),
            false => None,
        };
        if let Some(Settled::Refused { code, text }) = settled.get(taken) {
            tracing::error!(organ = %self.organ, code, text, "RabbitMQ refused an event of a dossier");
        }
        taken
    }
}
