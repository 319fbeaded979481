//! What goes to an endpoint beside its deliveries, one call at a time. Its outages are its own: an endpoint may take deliveries and nothing else.

use std::future::Future;
use std::time::Duration;

use crate::delivery::Dispatch;
use crate::domain::organ_id::OrganId;
use crate::domain::push::{Link, Policy, Room, Said};

/// One who calls an endpoint beside the worker.
pub struct Aside {
    organ: OrganId,
    /// What it brings, for the log.
    what: &'static str,
    policy: Policy,
    link: Link,
}

impl Aside {
    /// Nothing was brought yet.
    pub fn new(organ: OrganId, what: &'static str, policy: Policy) -> Self {
        Self { organ, what, policy, link: Link::new(1, None) }
    }

    /// Waits until the endpoint may be called.
    pub async fn room(&self, dispatch: &Dispatch) {
        loop {
            let now = dispatch.clock.now();
            let Room::NotBefore(time) = self.link.room(now) else { return };
            tokio::time::sleep(time.since(now).max(Duration::from_millis(1))).await;
        }
    }

    /// Makes a call; true when what it brings was taken.
    pub async fn bring(&mut self, dispatch: &Dispatch, call: impl Future<Output = Said>) -> bool {
        self.link.begin(1);
        // Nothing can be passed over here, so whatever is wrong with it is wrong with the endpoint.
        let said = match call.await {
            Said::Refused(trouble) | Said::Failed(trouble) | Said::Full(trouble) => Said::Away(trouble),
            said => said,
        };
        let is_taken = matches!(said, Said::Settled(_));
        self.link.end(1);
        let verdict = self.link.hear(said, dispatch.clock.now(), &self.policy, fastrand::f64());
        let (organ, what) = (&self.organ, self.what);
        match (self.link.outage(), verdict.link_changed) {
            (Some(outage), _) => {
                let failures = outage.failures;
                tracing::warn!(%organ, what, failures, "the endpoint of a push link does not take it");
            }
            (None, true) => tracing::info!(%organ, what, "the endpoint of a push link takes it again"),
            (None, false) => {}
        }
        is_taken
    }
}
