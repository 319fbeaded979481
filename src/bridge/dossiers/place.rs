//! How far a queue or the exchange has been fed: a durable position, committed when RabbitMQ has confirmed all up to it.

use std::sync::Arc;

use bytes::Bytes;

use crate::delivery::Dispatch;
use crate::domain::limits::CONSUMERS_PER_ORGAN_MAX;
use crate::domain::organ_id::OrganId;
use crate::dossiers::{self, Consumer, Enrolment, Share, Tail, TooManyConsumers};
use crate::ledger;

/// The name of a queue among its organ's consumers; no organ can give it.
const QUEUE: &str = "amqp:queue";
/// The mark of the exchange in the ledger. It holds the position and one, so that 0 is none.
const EXCHANGE_MARK: &str = "dossiers/exchange";

/// Where the position is kept.
pub enum Place {
    /// Beside those of other consumers of the log, where their lag is seen.
    Consumer(Consumer, Arc<Tail>),
    /// As a mark of the ledger.
    Mark(Arc<Dispatch>, Arc<Tail>),
}

impl Place {
    /// That of an organ's queue. A new one begins at the beginning.
    pub fn of_queue(organ: &OrganId, tail: &Arc<Tail>) -> Self {
        Self::Consumer(Consumer { organ: organ.clone(), name: QUEUE.to_owned() }, Arc::clone(tail))
    }

    /// That of the exchange. A new one begins where the log ends.
    pub fn of_exchange(dispatch: &Arc<Dispatch>, tail: &Arc<Tail>) -> Self {
        Self::Mark(Arc::clone(dispatch), Arc::clone(tail))
    }

    /// What nodes that feed the same take turns by.
    pub fn turn_mark(&self) -> String {
        match self {
            Self::Consumer(consumer, _) => format!("dossiers-turn/{}", consumer.organ),
            Self::Mark(..) => "dossiers-turn".to_owned(),
        }
    }

    /// The position.
    pub async fn read(&self) -> Result<u64, ledger::Error> {
        match self {
            Self::Consumer(consumer, tail) => {
                let (consumer, filter) = (consumer.clone(), Bytes::new());
                let enrolment = Enrolment { consumer, share: Share::ALL, start: 0, filter };
                let enrolled = tail.log().enrol(enrolment).await?.await?;
                enrolled.map_err(|TooManyConsumers| {
                    let why =
                        format!("the organ has {CONSUMERS_PER_ORGAN_MAX} consumers of dossiers already");
                    ledger::Error::Failed(why.into())
                })
            }
            Self::Mark(dispatch, tail) => match dispatch.ledger.mark(EXCHANGE_MARK).await? {
                0 => {
                    let head = tail.head();
                    let first = dispatch.ledger.advance_mark(EXCHANGE_MARK, 0, head + 1).await?.await?;
                    Ok(if first { head } else { self.marked(dispatch).await? })
                }
                mark => Ok(mark - 1),
            },
        }
    }

    async fn marked(&self, dispatch: &Dispatch) -> Result<u64, ledger::Error> {
        Ok(dispatch.ledger.mark(EXCHANGE_MARK).await?.saturating_sub(1))
    }

    /// Commits a position; an earlier one than there is changes nothing.
    pub async fn advance(&self, position: u64) -> Result<(), ledger::Error> {
        match self {
            Self::Consumer(consumer, tail) => {
                let place = dossiers::Place { consumer: consumer.clone(), share: Share::ALL, position };
                // One that was dismissed meanwhile is enrolled again when its place is read next.
                tail.log().advance(place).await?.await.map(|_advanced| ())
            }
            Self::Mark(dispatch, _) => loop {
                let mark = dispatch.ledger.mark(EXCHANGE_MARK).await?;
                if mark > position {
                    return Ok(());
                }
                if dispatch.ledger.advance_mark(EXCHANGE_MARK, mark, position + 1).await?.await? {
                    return Ok(());
                }
            },
        }
    }
}
