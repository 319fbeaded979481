//! The organs attached by AMQP: their queues are there before they come, and each has somebody who forwards its receipts.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::office::{Office, PUBLISH_RETRY_DELAY};
use super::receipts::Forwarder;
use crate::amqp::topology::{self, Queue};
use crate::amqp::{Lost, MailboxQueue, State};
use crate::delivery::Dispatch;
use crate::domain::organ_id::OrganId;

/// Follows the directory.
pub struct Attached {
    office: Arc<Office>,
    dispatch: Arc<Dispatch>,
    changed: watch::Receiver<()>,
    /// Those attached, and what ends their forwarders.
    organs: HashMap<OrganId, CancellationToken>,
}

impl Attached {
    /// Nobody attached yet. `changed` tells that the directory is another one.
    pub fn new(office: Arc<Office>, dispatch: Arc<Dispatch>, changed: watch::Receiver<()>) -> Self {
        Self { office, dispatch, changed, organs: HashMap::new() }
    }

    /// Follows until it is time to stop.
    pub async fn run(mut self) {
        let stop = self.office.tasks.stop_token();
        let mut state = self.office.link.state();
        let mut declared = 0;
        loop {
            // After a new connection too: RabbitMQ may have lost its queues.
            let up = match *state.borrow_and_update() {
                State::Up(epoch) | State::Blocked(epoch, _) => epoch,
                State::Down(_) | State::Stopped => 0,
            };
            let follow = async {
                if up != 0 && self.follow(up != declared).await.is_ok() {
                    declared = up;
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = follow => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                changed = self.changed.changed() => if changed.is_err() { return },
                changed = state.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Brings what is attached in line with the directory; declares the queues of those that are new, or of all.
    async fn follow(&mut self, all: bool) -> Result<(), Lost> {
        let directory = self.office.directory.load_full();
        let organs: Vec<_> = directory.attached_by_amqp().map(|organ| organ.id.clone()).collect();
        self.organs.retain(|organ, end| {
            let stays = directory.get(organ).is_some_and(|organ| organ.link.is_amqp());
            if !stays {
                end.cancel();
            }
            stays
        });
        if all {
            // Queues are bound to exchanges, which have to be there first; the broker tells of differences.
            let _differences = topology::declare(&self.office.link, &self.office.topology).await?;
        }
        for organ in organs {
            let is_new = !self.organs.contains_key(&organ);
            if all || is_new {
                self.declare(&organ).await?;
            }
            if is_new {
                self.attach(organ).await;
            }
        }
        Ok(())
    }

    async fn declare(&self, organ: &OrganId) -> Result<(), Lost> {
        for queue in queues(&self.office.topology, organ) {
            let declared = topology::declare_queue(&self.office.link, &queue).await?;
            for difference in declared.differences {
                tracing::error!(difference, "RabbitMQ has a queue otherwise than the gateway declares it");
            }
        }
        Ok(())
    }

    async fn attach(&mut self, organ: OrganId) {
        let end = self.office.tasks.stop_token().child_token();
        self.organs.insert(organ.clone(), end.clone());
        let forwarder = Forwarder::new(Arc::clone(&self.office), Arc::clone(&self.dispatch), organ.clone());
        self.office.tasks.spawn(async move {
            _ = end.run_until_cancelled(forwarder.run()).await;
        });
        // What became ready while it was attached otherwise was published as a pointer, which its system cannot follow.
        while !self.publish_again(&organ).await {
            if !self.office.pause(PUBLISH_RETRY_DELAY).await {
                return;
            }
        }
    }

    async fn publish_again(&self, organ: &OrganId) -> bool {
        let Ok(pending) = self.dispatch.ledger.publish_again(Some(organ)).await else { return false };
        match pending.await {
            Ok(0) => true,
            Ok(_) => {
                self.dispatch.broker.look_again();
                true
            }
            Err(_) => false,
        }
    }
}

/// The queues of an organ attached by AMQP.
pub fn queues(topology: &topology::Topology, organ: &OrganId) -> [Queue; 3] {
    let [urgent, normal] = MailboxQueue::ALL.map(|queue| topology.mailbox(organ, queue));
    [urgent, normal, topology.receipts(organ)]
}
