//! The contract of `truc::broker`, point by point, over each implementation, above a real ledger.

use std::future::Future;
use std::sync::Arc;

use truc::broker::{Broker, Consumer};
use truc::domain::delivery::DeliveryId;
use truc::domain::message::Lane;
use truc::ledger::{Acceptance, BecameReady, Ledger, Ready};

use crate::ledger::Open;
use crate::ledger::sqlite::Sqlite;
use crate::support::{letter, offer, organ, soon, t};

mod embedded;
mod order;
mod published;
mod rabbit;
mod race;
mod random;
mod repeats;
mod sharing;

/// Where a broker of one implementation lives. Dropped, nothing of it remains.
pub trait BrokerUnderTest: Send + Sync + Sized + 'static {
    /// A place for a broker that knows of nothing yet.
    fn create() -> impl Future<Output = Self> + Send;

    /// Starts a broker there, over this ledger.
    fn start(&self, ledger: Arc<dyn Ledger>) -> impl Future<Output = Arc<dyn Broker>> + Send;

    /// Resolves when what was published there has arrived where it can be taken.
    fn settled(&self) -> impl Future<Output = ()> + Send;
}

/// No bound on the bytes of a take.
const ANY: u64 = u64::MAX;

/// A broker over a ledger, with the part of a gateway that joins them.
pub struct Exchange<B> {
    broker: Arc<dyn Broker>,
    place: B,
    ledger: Open<Sqlite>,
    // Committed, and not published yet.
    told: Vec<BecameReady>,
    letters: usize,
}

impl<B: BrokerUnderTest> Exchange<B> {
    async fn new() -> Self {
        let (place, ledger) = (B::create().await, Open::new().await);
        let broker = place.start(Arc::clone(&ledger.ledger)).await;
        Self { broker, place, ledger, told: Vec::new(), letters: 0 }
    }

    /// Another broker at the same place; what the first was not told of before, this one is not told of either.
    async fn restarted(mut self) -> Self {
        self.broker = self.place.start(Arc::clone(&self.ledger.ledger)).await;
        self.hear();
        self.told.clear();
        self
    }

    fn consume(&self, id: &str) -> Box<dyn Consumer> {
        Arc::clone(&self.broker).consume(&organ(id))
    }

    /// So many letters to an organ.
    fn letters(&mut self, to: &str, count: usize) -> Vec<Acceptance> {
        self.letters += count;
        (self.letters - count..self.letters).map(|n| letter("G22", &format!("m{n}"), &[to])).collect()
    }

    fn urgent_letters(&mut self, to: &str, count: usize) -> Vec<Acceptance> {
        self.lane_letters(Lane::Urgent, to, count)
    }

    /// So many letters to an organ that travel in a lane.
    fn lane_letters(&mut self, lane: Lane, to: &str, count: usize) -> Vec<Acceptance> {
        self.letters(to, count).into_iter().map(|letter| Acceptance { lane, ..letter }).collect()
    }

    /// Accepts letters, and publishes nothing yet.
    async fn accept(&mut self, letters: Vec<Acceptance>) -> Vec<DeliveryId> {
        let answers = self.ledger.accept(letters).await;
        answers
            .into_iter()
            .flat_map(|answer| answer.unwrap().deliveries)
            .map(|delivery| delivery.id)
            .collect()
    }

    /// Accepts letters, and publishes what became ready.
    async fn send(&mut self, letters: Vec<Acceptance>) -> Vec<DeliveryId> {
        let ids = self.accept(letters).await;
        self.publish();
        self.settled().await;
        ids
    }

    async fn settled(&self) {
        self.place.settled().await;
    }

    fn hear(&mut self) {
        self.told.extend(self.ledger.told().into_iter().flat_map(|commit| commit.ready));
    }

    /// Publishes what commits told of, in their order.
    fn publish(&mut self) {
        self.hear();
        for became in self.told.drain(..) {
            self.broker.publish(&became.organ, became.lane, became.ready);
        }
    }
}

/// Takes until it has so many.
async fn take(consumer: &mut dyn Consumer, count: usize) -> Vec<Ready> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let next = soon(consumer.take(count - taken.len(), ANY)).await.unwrap();
        assert!(!next.is_empty() && next.len() <= count - taken.len());
        taken.extend(next);
    }
    taken
}

/// Lets others go on so many times.
async fn a_while(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

fn ids(ready: &[Ready]) -> Vec<DeliveryId> {
    ready.iter().map(|ready| ready.delivery).collect()
}

/// Asks the ledger to offer what was taken, and tells the broker; gives those the ledger agreed to.
async fn decide(ledger: &dyn Ledger, consumer: &mut dyn Consumer, taken: &[Ready]) -> Vec<DeliveryId> {
    let offers = taken.iter().map(|ready| offer(ready.delivery, t(2))).collect();
    let answers = soon(soon(ledger.step(offers)).await.unwrap()).await.unwrap();
    taken.iter().for_each(|ready| consumer.decided(ready.delivery));
    answers.into_iter().flatten().map(|stepped| stepped.delivery).collect()
}

macro_rules! tests_of {
    ($place:ty; $($point:ident: $($test:ident)*;)*) => {$(
        mod $point {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::broker::$point::$test::<$place>().await;
                }
            )*
        }
    )*};
}

/// Stamps the suite over implementations.
macro_rules! stamp {
    ($($implementation:ident: $place:ty;)*) => {$(
        mod $implementation {
            tests_of! { $place;
                published: before_its_consumer_came while_its_consumer_waits before_the_gateway_started
                    between_two_consumers to_its_own_organ_only twenty_thousand_waiting five_thousand_before_it_takes
                    a_look_never_waits_for_more;
                order: urgent_before_normal urgent_overtakes_what_waits each_urgency_before_the_lower
                    no_lane_waits_for_ever no_lane_waits_for_ever_on_those_who_poll
                    ready_again_comes_before_the_younger bytes_bound_a_take;
                sharing: each_is_handed_to_one what_one_holds_is_not_handed_to_another
                    undecided_go_to_another_when_dropped undecided_are_shared_by_those_who_wait undecided_of_the_last_come_back what_comes_while_the_last_leaves_is_kept
                    decided_are_forgotten a_wait_given_up_loses_nothing;
                repeats: published_again_comes_again a_repeat_is_offered_once
                    what_is_no_longer_ready_is_harmless;
                race: no_wake_up_is_lost_on_those_who_stay no_wake_up_is_lost_on_those_who_leave
                    consumers_who_hardly_stay_are_served
                    consumers_come_and_go_while_others_publish;
                random: a_random_history_forgets_nothing;
            }
        }
    )*};
}

stamp! {
    embedded_broker: crate::broker::embedded::Embedded;
    rabbit_broker: crate::broker::rabbit::Rabbit;
}
