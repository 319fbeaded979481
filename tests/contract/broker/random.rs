//! All points at once: a random history, one thing after the other, so that every take can be judged.

use std::collections::{HashMap, HashSet};

use truc::broker::Consumer;
use truc::domain::delivery::DeliveryId;
use truc::domain::message::Lane;
use truc::ledger::Ready;

use super::{ANY, BrokerUnderTest, Exchange, a_while, ids};
use crate::ledger::inspect;
use crate::support::{Seed, dropped, offer, organ, soon, t};

const ORGANS: [&str; 2] = ["H49", "H05"];
const STEPS: usize = 1_500;

struct Served {
    consumer: Box<dyn Consumer>,
    undecided: HashMap<DeliveryId, Ready>,
}

struct History<B> {
    exchange: Exchange<B>,
    rng: fastrand::Rng,
    served: Vec<Served>,
    lanes: HashMap<DeliveryId, Lane>,
    /// In flight, with their attempts.
    offered: Vec<(DeliveryId, u32)>,
    /// Published since they were taken: may be with two.
    republished: HashSet<DeliveryId>,
}

impl<B: BrokerUnderTest> History<B> {
    async fn go_on(&mut self) {
        if self.served.is_empty() {
            self.come();
        }
        match self.rng.u8(..20) {
            0..3 => self.send().await,
            3..7 => self.publish(),
            7 => self.publish_a_repeat().await,
            8 => self.come(),
            9 => self.leave(),
            10 => self.wait().await,
            11..13 => self.come_again().await,
            _ => self.take().await,
        }
    }

    async fn send(&mut self) {
        let (to, count) = (ORGANS[self.rng.usize(..2)], self.rng.usize(1..30));
        let lane = Lane::ALL[self.rng.usize(..Lane::ALL.len())];
        let letters = self.exchange.lane_letters(lane, to, count);
        let sent = self.exchange.accept(letters).await;
        self.lanes.extend(sent.into_iter().map(|id| (id, lane)));
    }

    fn publish(&mut self) {
        self.exchange.hear();
        self.republished.extend(self.exchange.told.iter().map(|became| became.ready.delivery));
        self.exchange.publish();
    }

    /// Something that was ready once, whatever it is now.
    async fn publish_a_repeat(&mut self) {
        let to = organ(ORGANS[self.rng.usize(..2)]);
        let records = soon(self.exchange.ledger.ledger.received(&to, None, false, 40)).await.unwrap();
        if let Some(record) = self.rng.choice(records) {
            let delivery = record.deliveries[0].id;
            let ready =
                Ready { delivery, message: record.key, payload_bytes: record.payload_bytes, attempt: 0 };
            self.exchange.broker.publish(&to, self.lanes[&delivery], ready);
            self.republished.insert(delivery);
        }
    }

    fn come(&mut self) {
        if self.served.len() < 5 {
            let consumer = self.exchange.consume(ORGANS[self.rng.usize(..2)]);
            self.served.push(Served { consumer, undecided: HashMap::new() });
        }
    }

    /// Some that were offered become ready again, unless they were too often.
    async fn come_again(&mut self) {
        for _ in 0..self.offered.len().min(3) {
            let (id, attempt) = self.offered.swap_remove(self.rng.usize(..self.offered.len()));
            self.exchange.ledger.step(dropped(id, attempt, t(3))).await.unwrap();
        }
    }

    fn leave(&mut self) {
        let leaver = self.served.swap_remove(self.rng.usize(..self.served.len()));
        // What it had not decided of may be with another that it was published to.
        self.republished.extend(leaver.undecided.keys());
    }

    async fn take(&mut self) {
        let at = self.rng.usize(..self.served.len());
        let (limit, bytes) = (self.rng.usize(1..20), self.rng.u64(..300));
        let taken = soon(self.served[at].consumer.look(limit, bytes)).await.unwrap();
        let sum: u64 = taken.iter().map(|ready| ready.payload_bytes).sum();
        assert!(taken.len() <= limit && (taken.len() <= 1 || sum <= bytes));
        self.hold(at, taken);
        if self.rng.bool() {
            let undecided: Vec<_> = self.served[at].undecided.drain().map(|(_, ready)| ready).collect();
            self.offer(at, &undecided).await;
        }
    }

    /// Gives up waiting after a while.
    async fn wait(&mut self) {
        let (at, turns) = (self.rng.usize(..self.served.len()), self.rng.usize(..20));
        let taken = tokio::select! {
            taken = self.served[at].consumer.take(1, ANY) => taken.unwrap(),
            () = a_while(turns) => Vec::new(),
        };
        self.hold(at, taken);
    }

    /// Each lane comes in its order; whose turn it is among them depends on what all have taken.
    fn judge(&self, taken: &[Ready]) {
        for lane in Lane::ALL {
            let of_lane = taken.iter().map(|ready| ready.delivery).filter(|id| self.lanes[id] == lane);
            assert!(of_lane.is_sorted_by(|a, b| a < b), "{lane:?} in its order: {taken:?}");
        }
    }

    /// Judges what one consumer was handed, and what the others hold.
    fn hold(&mut self, at: usize, taken: Vec<Ready>) {
        self.judge(&taken);
        for ready in taken {
            let id = ready.delivery;
            let held = self.served.iter().any(|one| one.undecided.contains_key(&id));
            let again = self.republished.remove(&id);
            assert!(again || !held, "{id} is held already");
            self.served[at].undecided.insert(id, ready);
        }
    }

    /// Gives those the ledger agreed to.
    async fn offer(&mut self, at: usize, taken: &[Ready]) -> Vec<DeliveryId> {
        let offers = taken.iter().map(|ready| offer(ready.delivery, t(2))).collect();
        let answers = self.exchange.ledger.steps(offers).await;
        taken.iter().for_each(|ready| self.served[at].consumer.decided(ready.delivery));
        let agreed: Vec<_> = answers.into_iter().flatten().collect();
        self.offered.extend(agreed.iter().map(|stepped| (stepped.delivery, stepped.progress.attempt)));
        agreed.into_iter().map(|stepped| stepped.delivery).collect()
    }

    /// Everybody leaves; one comes to each organ and gets all that is ready.
    async fn finish(mut self) {
        self.publish();
        self.served.clear();
        for id in ORGANS {
            let mut expected = Vec::new();
            for lane in Lane::ALL {
                expected.extend(inspect::ready(&*self.exchange.ledger.ledger, &organ(id), lane, 500).await);
            }
            let mut expected = ids(&expected);
            let consumer = self.exchange.consume(id);
            self.served.push(Served { consumer, undecided: HashMap::new() });
            let at = self.served.len() - 1;
            let mut agreed = Vec::new();
            while agreed.len() < expected.len() {
                let taken = soon(self.served[at].consumer.take(100, ANY)).await.unwrap();
                self.judge(&taken);
                agreed.extend(self.offer(at, &taken).await);
            }
            // It may have arrived in several parts.
            agreed.sort();
            expected.sort();
            assert!(agreed == expected, "all that was ready at {id}");
        }
    }
}

pub async fn a_random_history_forgets_nothing<B: BrokerUnderTest>() {
    let seed = Seed::new();
    let mut history = History::<B> {
        exchange: Exchange::new().await,
        rng: seed.rng(),
        served: Vec::new(),
        lanes: HashMap::new(),
        offered: Vec::new(),
        republished: HashSet::new(),
    };
    for _ in 0..STEPS {
        history.go_on().await;
    }
    history.finish().await;
}
