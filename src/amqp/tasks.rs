//! Tasks that end together.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What runs for one user of RabbitMQ. When the last clone of this is dropped, nothing ends by itself; `stop` ends it.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// Tasks that end when `stop` does, at the latest.
    pub fn below(stop: &CancellationToken) -> Self {
        Self { stop: stop.child_token(), tracker: TaskTracker::new() }
    }

    /// Told when to end.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts one. It has to watch the token by itself.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
    }

    /// Tells all of them to end.
    pub fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
    }

    /// Resolves when all have ended; they are told to first.
    pub async fn stopped(&self) {
        self.stop();
        self.tracker.wait().await;
    }
}
