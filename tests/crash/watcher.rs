//! Clients that watch receipts and keep their cursor across disconnects.

use std::sync::Arc;

use truc::proto::v1;

use crate::journal::{Fact, Journal};
use crate::line::Line;
use crate::site::Agency;

/// One watching client.
pub struct Watcher {
    pub name: String,
    pub line: Line,
    pub journal: Arc<Journal>,
    pub rng: fastrand::Rng,
    pub cursor: String,
    /// Of a hundred pages, those after which it disconnects by itself.
    pub disconnects_percent: u8,
}

impl Watcher {
    /// Watches until there is nothing more to do.
    pub async fn run(mut self) -> Self {
        while let Some(agency) = self.line.agency().await {
            let stop = self.line.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.watch(&agency, false) => {}
            }
        }
        self
    }

    /// Reads what there is beyond its cursor.
    pub async fn finish(mut self, agency: &Agency) {
        self.disconnects_percent = 0;
        self.watch(agency, true).await;
    }

    async fn watch(&mut self, agency: &Agency, until_now: bool) {
        let request =
            v1::WatchReceiptsRequest { organ: String::new(), cursor: self.cursor.clone(), until_now };
        let mut pages = match agency.exchange.clone().watch_receipts(request).await {
            Ok(pages) => pages.into_inner(),
            Err(status) => return self.journal.failed(&self.name, &status),
        };
        loop {
            match pages.message().await {
                Ok(Some(page)) => {
                    self.journal.answered(&self.name);
                    for receipt in page.receipts {
                        let watcher = self.name.clone();
                        self.journal.record(Fact::Watched { watcher, receipt });
                    }
                    self.cursor = page.cursor;
                }
                Ok(None) if until_now => return,
                Ok(None) => return self.journal.broken(&self.name, "WatchReceipts ended by itself"),
                Err(status) => return self.journal.failed(&self.name, &status),
            }
            if self.rng.u8(..100) < self.disconnects_percent {
                return;
            }
        }
    }
}
