//! Acknowledgements of one channel, gathered and sent together.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lapin::Channel;
use lapin::options::{BasicAckOptions, BasicNackOptions};
use tokio::runtime::Handle;

use crate::metrics::Metrics;

/// A channel that several mailboxes take from.
pub(super) struct SharedChannel {
    /// The channel.
    pub channel: Channel,
    runtime: Handle,
    metrics: Arc<Metrics>,
    acks: Mutex<Acks>,
}

/// A share in a message: as many as there are deliveries in it. The message is decided when all of them are.
pub(super) struct Tag(Arc<Shared>);

struct Shared {
    channel: Arc<SharedChannel>,
    // The message's number on its channel.
    number: u64,
    undecided: AtomicUsize,
    goes_back: AtomicBool,
}

impl Tag {
    /// This part of the message is done with.
    pub fn ack(self) {
        self.decide();
    }

    /// The message goes back into its queue.
    pub fn requeue(self) {
        self.0.goes_back.store(true, Ordering::Release);
        self.decide();
    }

    fn decide(self) {
        let Shared { channel, number, undecided, goes_back } = &*self.0;
        if undecided.fetch_sub(1, Ordering::AcqRel) == 1 {
            channel.decide(*number, !goes_back.load(Ordering::Acquire));
        }
    }

    /// False once the channel is lost: the message is in its queue again by itself.
    pub fn is_live(&self) -> bool {
        self.0.channel.channel.status().connected()
    }
}

impl SharedChannel {
    /// A channel just opened.
    pub fn new(channel: Channel, metrics: Arc<Metrics>) -> Self {
        Self { channel, runtime: Handle::current(), metrics, acks: Mutex::default() }
    }

    /// So many tags of a message received on it.
    pub fn tags(self: &Arc<Self>, number: u64, count: usize) -> impl Iterator<Item = Tag> {
        let (channel, goes_back) = (Arc::clone(self), AtomicBool::new(false));
        let shared = Arc::new(Shared { channel, number, undecided: AtomicUsize::new(count), goes_back });
        std::iter::repeat_n(shared, count).map(Tag)
    }

    fn acks(&self) -> MutexGuard<'_, Acks> {
        self.acks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decide(self: &Arc<Self>, number: u64, ack: bool) {
        let mut acks = self.acks();
        match ack {
            true => acks.acked.insert(number),
            false => acks.requeued.insert(number),
        };
        if !std::mem::replace(&mut acks.sending, true) {
            let channel = Arc::clone(self);
            self.runtime.spawn(async move { channel.send().await });
        }
    }

    async fn send(&self) {
        loop {
            // What others decide in the same moment goes along.
            tokio::task::yield_now().await;
            let decided = self.acks().gather();
            let Some(Decided { up_to, single, requeued, count }) = decided else { return };
            self.metrics.broker_acked.increment(count);
            let mut sent = Ok(());
            // First what goes back: it must not be there any more when everything up to a number is acknowledged.
            for number in requeued {
                let options = BasicNackOptions { multiple: false, requeue: true };
                sent = sent.and(self.channel.basic_nack(number, options).await);
            }
            if let Some(up_to) = up_to {
                sent = sent.and(self.channel.basic_ack(up_to, BasicAckOptions { multiple: true }).await);
            }
            for number in single {
                sent = sent.and(self.channel.basic_ack(number, BasicAckOptions::default()).await);
            }
            if sent.is_err() {
                // The channel is lost, and with it all that was on it.
                return;
            }
        }
    }
}

/// What is to be sent.
#[derive(Debug, Default, PartialEq, Eq)]
struct Decided {
    /// Everything up to here can be acknowledged at once.
    up_to: Option<u64>,
    /// These one by one, since something before them is undecided.
    single: Vec<u64>,
    /// These go back.
    requeued: Vec<u64>,
    /// How many are acknowledged.
    count: u64,
}

#[derive(Debug, Default)]
struct Acks {
    acked: BTreeSet<u64>,
    requeued: BTreeSet<u64>,
    // Numbers up to here are all dealt with, and single ones above it.
    floor: u64,
    above: BTreeSet<u64>,
    sending: bool,
}

impl Acks {
    /// Takes what is decided. A channel numbers its messages 1, 2, 3, ..., so one that is missing is known to be missing, whoever it is for.
    fn gather(&mut self) -> Option<Decided> {
        if self.acked.is_empty() && self.requeued.is_empty() {
            self.sending = false;
            return None;
        }
        let mut decided = Decided { count: self.acked.len() as u64, ..Decided::default() };
        decided.requeued.extend(std::mem::take(&mut self.requeued));
        self.above.extend(&decided.requeued);
        while let Some(next) = self.floor.checked_add(1) {
            if self.acked.remove(&next) {
                decided.up_to = Some(next);
            } else if !self.above.remove(&next) {
                break;
            }
            self.floor = next;
        }
        decided.single.extend(std::mem::take(&mut self.acked));
        self.above.extend(&decided.single);
        Some(decided)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(acks: &mut Acks, acked: &[u64], requeued: &[u64]) -> (Option<u64>, Vec<u64>, Vec<u64>) {
        acks.acked.extend(acked);
        acks.requeued.extend(requeued);
        let decided = acks.gather().unwrap();
        assert_eq!(decided.count, acked.len() as u64);
        (decided.up_to, decided.single, decided.requeued)
    }

    #[test]
    fn many_are_acknowledged_at_once_only_when_none_before_is_open() {
        let mut acks = Acks::default();
        assert_eq!(gathered(&mut acks, &[1, 2, 3], &[]), (Some(3), vec![], vec![]));
        // 4 is with somebody.
        assert_eq!(gathered(&mut acks, &[5, 7], &[6]), (None, vec![5, 7], vec![6]));
        assert_eq!(gathered(&mut acks, &[8], &[]), (None, vec![8], vec![]));
        assert_eq!(gathered(&mut acks, &[4, 9], &[]), (Some(9), vec![], vec![]));
        assert_eq!(gathered(&mut acks, &[10, 12], &[11]), (Some(12), vec![], vec![11]));
        assert_eq!((acks.gather(), acks.floor, acks.above.len()), (None, 12, 0));
    }
}
