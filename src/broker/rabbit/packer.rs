//! What a mailbox message is made of: a pointer, or what another part of the gateway makes for organs that take their mail themselves.

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use lapin::BasicProperties;

use crate::domain::delivery::{DeliveryId, Lease};
use crate::domain::organ_id::OrganId;
use crate::ledger::{self, BecameReady};

/// How a delivery travels.
#[derive(Clone, Debug)]
pub enum Packed {
    /// By a pointer, perhaps in one message with others of the same mailbox.
    Pointer,
    /// In a message of its own.
    Whole(Box<Whole>),
}

/// A message that holds a delivery.
#[derive(Clone, Debug)]
pub struct Whole {
    /// Its body.
    pub body: Bytes,
    /// Its properties; the message id is the delivery's.
    pub properties: BasicProperties,
    /// The lease under which the delivery now is.
    pub lease: Lease,
}

/// Makes mailbox messages.
pub trait Packer: Send + Sync + 'static {
    /// The messages for these deliveries, in order; None for one that is no longer ready: there is nothing to publish. Few at a
    /// time.
    fn pack<'a>(
        &'a self,
        ready: &'a [BecameReady],
    ) -> BoxFuture<'a, Result<Vec<Option<Packed>>, ledger::Error>>;

    /// RabbitMQ did not take a whole delivery, or it is not known whether it did. It is packed again if it is ready again.
    fn failed<'a>(&'a self, ready: &'a BecameReady, lease: Lease) -> BoxFuture<'a, ()>;

    /// A message of an organ's mailbox that is no pointer came to the gateway: RabbitMQ gave it up, or the organ no longer takes its mail
    /// itself. True when it was understood, false when it shall be parked.
    fn came_back<'a>(
        &'a self,
        organ: &'a OrganId,
        delivery: DeliveryId,
        properties: &'a BasicProperties,
    ) -> BoxFuture<'a, Result<bool, ledger::Error>>;
}

/// Makes pointers of everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pointers;

impl Packer for Pointers {
    fn pack<'a>(
        &'a self,
        ready: &'a [BecameReady],
    ) -> BoxFuture<'a, Result<Vec<Option<Packed>>, ledger::Error>> {
        futures_util::future::ready(Ok(vec![Some(Packed::Pointer); ready.len()])).boxed()
    }

    fn failed<'a>(&'a self, _: &'a BecameReady, _: Lease) -> BoxFuture<'a, ()> {
        ready(()).boxed()
    }

    fn came_back<'a>(
        &'a self,
        _: &'a OrganId,
        _: DeliveryId,
        _: &'a BasicProperties,
    ) -> BoxFuture<'a, Result<bool, ledger::Error>> {
        ready(Ok(false)).boxed()
    }
}
