//! Brings what the ledger's commits tell to those who wait for it.

use std::sync::Arc;

use super::Dispatch;
use super::timers::Alarm;
use crate::ledger::{BecameReady, Commit, Commits};

/// Reads the commits of the ledger, in order. Never waits for anything else, so the ledger never waits for it.
pub struct Router {
    dispatch: Arc<Dispatch>,
    commits: Commits,
    alarm: Alarm,
}

impl Router {
    /// A router of these commits.
    pub fn new(dispatch: Arc<Dispatch>, commits: Commits, alarm: Alarm) -> Self {
        Self { dispatch, commits, alarm }
    }

    /// Routes until the ledger is closed.
    pub async fn run(mut self) {
        while let Some(commit) = self.commits.recv().await {
            self.route(commit);
        }
    }

    fn route(&self, commit: Commit) {
        for BecameReady { organ, lane, ready, message } in commit.ready {
            if self.dispatch.strays.catches(&organ) {
                continue;
            }
            if let Some(message) = message
                && self.dispatch.broker.has_consumer(&organ)
            {
                self.dispatch.hot.keep(ready.message, message);
            }
            self.dispatch.broker.publish(&organ, lane, ready);
        }
        for (organ, head) in commit.receipt_heads {
            self.dispatch.heads.grown(&organ, head);
        }
        if let Some(due) = commit.due {
            self.alarm.no_later_than(due);
        }
        self.dispatch.links.changed(Some(commit.links));
        if commit.missed {
            self.dispatch.links.may_have_changed();
            self.dispatch.heads.may_have_grown();
            self.dispatch.broker.look_again();
            self.alarm.recover();
        }
    }
}
