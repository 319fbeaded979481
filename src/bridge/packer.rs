//! Deliveries for the queues of agencies attached by AMQP: offered by the ledger, then written whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};

use super::codec::{self, Body, Form};
use super::letter::{DELIVERY_HEADER, LEASE_HEADER, text};
use super::office::PERSISTENT;
use crate::broker::rabbit::{Packed, Packer, Whole};
use crate::delivery::HotMessages;
use crate::directory::{Directory, Link, vietnam_day, vietnam_time};
use crate::domain::delivery::{DeliveryId, Event, Hold, Lease, Outcome};
use crate::domain::message::Lane;
use crate::domain::organ_id::OrganId;
use crate::domain::receipt::{Asserter, Cause};
use crate::domain::time::Clock;
use crate::ledger::{self, BecameReady, Ledger, Message, MessageKey, StepRequest, Stepped};
use crate::metrics::Metrics;
use crate::proto::{convert, v1};

/// The header that names the sender's id of the message.
const MESSAGE_HEADER: &str = "x-truc-message";
/// The header that names the sender.
const SENDER_HEADER: &str = "x-truc-sender";
/// The header that says until when the delivery is to be acknowledged, in ISO 8601 with Vietnam's offset.
const ACKNOWLEDGE_HEADER: &str = "x-truc-acknowledge-by";
/// The header of one that is offered again after that, and says when it was noted as overdue.
const OVERDUE_HEADER: &str = "x-truc-overdue";

/// Writes whole deliveries for agencies attached by AMQP, and has pointers made for all others.
pub struct Deliveries {
    pointers: Box<dyn Packer>,
    ledger: Arc<dyn Ledger>,
    hot: Arc<HotMessages>,
    directory: Arc<ArcSwap<Directory>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    lease: Duration,
}

/// The header in which RabbitMQ says why it gave a message up first.
const REASON_HEADER: &str = "x-first-death-reason";

/// What the ledger says of a delivery that is to be written.
type Offers = Vec<Option<Stepped>>;

impl Deliveries {
    /// A packer that leases deliveries this long to agencies' queues; `pointers` packs for the other organs.
    pub fn new(
        pointers: Box<dyn Packer>,
        ledger: Arc<dyn Ledger>,
        hot: Arc<HotMessages>,
        directory: Arc<ArcSwap<Directory>>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
        lease: Duration,
    ) -> Self {
        Self { pointers, ledger, hot, directory, clock, metrics, lease }
    }

    fn form(&self, organ: &OrganId) -> Option<Form> {
        match self.directory.load().get(organ)?.link {
            Link::Grpc => None,
            Link::Amqp => Some(Form::Protobuf),
            Link::AmqpJson => Some(Form::Json),
        }
    }

    /// Leases each delivery to its recipient's queue, or finds that it is so leased already: a node that is gone, or a broken
    /// connection, left open whether the broker has it.
    async fn offer(&self, ready: &[&BecameReady]) -> Result<Offers, ledger::Error> {
        let at = self.clock.now();
        let until = at.plus(self.lease);
        let offer = |ready: &&BecameReady| {
            self.step(ready.ready.delivery, &ready.organ, Event::Offer { hold: Hold::Queue, until })
        };
        let answers = self.ledger.step(ready.iter().map(offer).collect()).await?.await?;
        let mut offers: Offers = answers.into_iter().map(Result::ok).collect();
        self.metrics.offers.increment(offers.iter().flatten().count() as u64);
        let refused: Vec<_> = (0..offers.len()).filter(|at| offers[*at].is_none()).collect();
        if refused.is_empty() {
            return Ok(offers);
        }
        let renew = |at: &usize| {
            let lease = Lease(ready[*at].ready.attempt.saturating_add(1));
            self.step(ready[*at].ready.delivery, &ready[*at].organ, Event::Renew { lease, until })
        };
        let answers = self.ledger.step(refused.iter().map(renew).collect()).await?.await?;
        for (at, answer) in refused.into_iter().zip(answers) {
            offers[at] = answer.ok().filter(|stepped| stepped.progress.hold == Some(Hold::Queue));
        }
        Ok(offers)
    }

    fn step(&self, delivery: DeliveryId, organ: &OrganId, event: Event) -> StepRequest {
        StepRequest {
            delivery,
            recipient: Some(organ.clone()),
            event,
            at: self.clock.now(),
            by: Asserter::Gateway,
        }
    }

    async fn deliveries(&self, ready: &[(&BecameReady, Form)]) -> Result<Vec<Option<Whole>>, ledger::Error> {
        let asked: Vec<_> = ready.iter().map(|(ready, _)| *ready).collect();
        let offers = self.offer(&asked).await?;
        let messages = self.messages(&offers).await?;
        let packed = ready.iter().zip(&offers).map(|((ready, form), stepped)| {
            let stepped = stepped.as_ref()?;
            let message = messages.get(&stepped.message)?;
            self.metrics.bridge_deliveries.increment(1);
            Some(written(stepped, message, ready.lane, *form))
        });
        Ok(packed.collect())
    }

    async fn messages(&self, offers: &Offers) -> Result<HashMap<MessageKey, Arc<Message>>, ledger::Error> {
        self.hot.load(&*self.ledger, offers.iter().flatten().map(|stepped| stepped.message)).await
    }
}

fn written(stepped: &Stepped, message: &Message, lane: Lane, form: Form) -> Whole {
    let lease = Lease(stepped.progress.attempt);
    let mut headers = FieldTable::default();
    let mut header = |name: &'static str, value: &dyn ToString| {
        headers.insert(ShortString::from(name), AMQPValue::LongString(LongString::from(value.to_string())));
    };
    header(DELIVERY_HEADER, &stepped.delivery);
    header(LEASE_HEADER, &lease);
    header(MESSAGE_HEADER, &message.message_id);
    header(SENDER_HEADER, &message.sender);
    header(ACKNOWLEDGE_HEADER, &vietnam_time(stepped.duty.acknowledge_by));
    if let Some(overdue_at) = stepped.duty.overdue_at {
        header(OVERDUE_HEADER, &vietnam_time(overdue_at));
    }
    let properties = BasicProperties::default()
        .with_content_type(form.content_type().into())
        .with_type(v1::Delivery::NAME.into())
        .with_delivery_mode(PERSISTENT)
        .with_priority(lane.priority())
        .with_message_id(stepped.delivery.to_string().into())
        .with_headers(headers);
    let body = codec::write(&convert::delivery(stepped, message), form);
    Whole { body, properties, lease }
}

impl Packer for Deliveries {
    fn pack<'a>(
        &'a self,
        ready: &'a [BecameReady],
    ) -> BoxFuture<'a, Result<Vec<Option<Packed>>, ledger::Error>> {
        Box::pin(async move {
            // Nothing more goes into the mailboxes of those that have closed: it is redirected.
            let (directory, today) = (self.directory.load_full(), vietnam_day(self.clock.now()));
            let is_open = |ready: &BecameReady| {
                directory.get(&ready.organ).is_none_or(|organ| !organ.is_closed_on(today))
            };
            let open: Vec<BecameReady> = ready.iter().filter(|ready| is_open(ready)).cloned().collect();
            if open.len() < ready.len() {
                let mut packed = self.pack(&open).await?.into_iter();
                let packed =
                    ready.iter().map(|ready| if is_open(ready) { packed.next().flatten() } else { None });
                return Ok(packed.collect());
            }
            let forms: Vec<_> = ready.iter().map(|ready| self.form(&ready.organ)).collect();
            let whole = ready.iter().zip(&forms).filter_map(|(ready, form)| Some((ready, (*form)?)));
            let mut whole = self.deliveries(&whole.collect::<Vec<_>>()).await?.into_iter();
            let others = ready.iter().zip(&forms).filter(|(_, form)| form.is_none());
            let others: Vec<_> = others.map(|(ready, _)| ready.clone()).collect();
            let mut pointers = self.pointers.pack(&others).await?.into_iter();
            let packed = forms.iter().map(|form| match form {
                Some(_) => whole.next().flatten().map(|whole| Packed::Whole(Box::new(whole))),
                None => pointers.next().flatten(),
            });
            Ok(packed.collect())
        })
    }

    fn failed<'a>(&'a self, ready: &'a BecameReady, lease: Lease) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            tracing::info!(delivery = %ready.ready.delivery, organ = %ready.organ, "a queue did not take a delivery");
            let event = Event::Dropped { lease, cause: Cause::QueueRefused };
            let dropped = self.step(ready.ready.delivery, &ready.organ, event);
            // Should the ledger fail here, the lease ends by itself.
            if let Ok(pending) = self.ledger.step(vec![dropped]).await {
                let _failed = pending.await.is_err();
            }
        })
    }

    /// An agency rejected it without an outcome, or got it too often, or the organ is no longer attached by AMQP: the attempt is over.
    fn came_back<'a>(
        &'a self,
        organ: &'a OrganId,
        delivery: DeliveryId,
        properties: &'a BasicProperties,
    ) -> BoxFuture<'a, Result<bool, ledger::Error>> {
        let headers = properties.headers().as_ref();
        let lease = headers.and_then(|headers| Lease::parse(text(headers, LEASE_HEADER)?));
        let Some(lease) = lease else { return self.pointers.came_back(organ, delivery, properties) };
        let reason = match headers.and_then(|headers| text(headers, REASON_HEADER)) {
            Some("rejected") => "rejected at the broker without an outcome",
            Some("delivery_limit") => "handed out too often without being acknowledged",
            Some(_) | None => "given back by the queue",
        };
        Box::pin(async move {
            let outcome = Outcome::Deferred { reason: reason.to_owned(), retry_at: None };
            let deferred = self.step(delivery, organ, Event::Settle { lease, outcome });
            // What the ledger refuses has gone on without this attempt.
            let _went_on = self.ledger.step(vec![deferred]).await?.await?;
            self.metrics.bridge_dead_lettered.increment(1);
            Ok(true)
        })
    }
}
