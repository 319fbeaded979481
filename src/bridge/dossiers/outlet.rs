//! Where events go: the exchange, or one organ's queue.

use std::sync::Arc;
use std::time::Duration;

use super::queue::AgencyQueue;
use super::written;
use crate::amqp::{Lost, Outgoing, Publisher, Settled};
use crate::bridge::codec::Form;
use crate::bridge::office::Office;
use crate::dossiers::Shown;

/// One of the two.
pub enum Outlet {
    /// The topic exchange: all events, to whatever the operator has bound to it.
    Exchange(Publisher),
    /// An organ's queue: what it wants and may follow, as far as there is room.
    Queue(Box<AgencyQueue>),
}

impl Outlet {
    /// Whether anything is to be fed; what that takes at RabbitMQ is there then.
    pub async fn is_open(&mut self) -> Result<bool, Lost> {
        match self {
            Self::Exchange(_) => Ok(true),
            Self::Queue(queue) => queue.is_open().await,
        }
    }

    /// RabbitMQ may have lost what it had.
    pub fn look_again(&mut self) {
        if let Self::Queue(queue) = self {
            queue.look_again();
        }
    }

    /// Those of a page that go here.
    pub fn choose(&mut self, page: &[Arc<Shown>]) -> Vec<Arc<Shown>> {
        match self {
            Self::Exchange(_) => page.to_vec(),
            Self::Queue(queue) => queue.choose(page),
        }
    }

    /// How many of so many events there is room for; none, and how long to wait before looking again.
    pub async fn room(&mut self, events: usize) -> Result<Result<usize, Duration>, Lost> {
        match self {
            Self::Exchange(_) => Ok(Ok(events)),
            Self::Queue(queue) => queue.room(events).await,
        }
    }

    /// Publishes events in order; `previous` is the one before them, where that is known. Gives how many, from the first on, RabbitMQ has.
    pub async fn publish(&mut self, office: &Office, events: &[Arc<Shown>], previous: Option<u64>) -> usize {
        match self {
            Self::Exchange(publisher) => {
                let exchange = office.topology.names.dossiers();
                let outgoing = events.iter().map(|event| Outgoing {
                    exchange: exchange.clone(),
                    routing_key: written::routing_key(event),
                    properties: written::properties(event, None, Form::Protobuf),
                    body: written::body(event, Form::Protobuf),
                });
                confirmed(&publisher.publish(outgoing.collect()).await.await)
            }
            Self::Queue(queue) => queue.publish(events, previous).await,
        }
    }
}

/// How many of the first messages are confirmed.
pub fn confirmed(settled: &[Settled]) -> usize {
    settled.iter().take_while(|settled| **settled == Settled::Confirmed).count()
}
