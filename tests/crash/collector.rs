//! Clients that collect on streams. Some are slow, some hang up in the middle of their work.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use truc::proto::v1::{self, collect_request::Request};

use crate::desk::Desk;
use crate::journal::Call;
use crate::site::Agency;

/// Of a hundred deliveries, those that a collector that hangs up does not settle.
const NEGLECTED_PERCENT: u8 = 10;
/// The shortest lease there is.
const SHORT_LEASE_S: i64 = 5;

/// One collecting client.
pub struct Collector {
    pub desk: Desk,
    pub window: u32,
    /// How many milliseconds it takes over a message at most.
    pub pause_ms_max: u64,
    /// Leaves deliveries unsettled, and hangs up after a while.
    pub hangs_up: bool,
    /// Asks for the shortest lease: where the ledger can be away, nobody can give back what a lost stream held.
    pub short_lease: bool,
}

/// One stream at work.
struct Stream {
    call: Call,
    requests: mpsc::Sender<v1::CollectRequest>,
    responses: Streaming<v1::CollectResponse>,
    asked: VecDeque<v1::Settlement>,
    /// After so many deliveries it is hung up.
    left: usize,
    neglected: bool,
}

impl Collector {
    /// Collects until there is nothing more to do.
    pub async fn run(mut self) {
        while let Some(agency) = self.desk.line.agency().await {
            self.desk.settle_late(&agency).await;
            let Some(mut stream) = self.open(&agency).await else { continue };
            let stop = self.desk.line.stop.clone();
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.serve(&mut stream) => {}
            }
            self.desk.unanswered.extend(stream.asked);
        }
    }

    async fn open(&mut self, agency: &Agency) -> Option<Stream> {
        // Each delivery of the window has at most one settlement on its way.
        let (requests, queue) = mpsc::channel(self.window as usize + 1);
        let short = self.hangs_up || self.short_lease;
        let lease = short.then_some(prost_types::Duration { seconds: SHORT_LEASE_S, nanos: 0 });
        let open = v1::CollectOpen { window: self.window, lease, ..Default::default() };
        requests.try_send(v1::CollectRequest { request: Some(Request::Open(open)) }).ok()?;
        let call = self.desk.journal.call();
        let left = if self.hangs_up { self.desk.rng.usize(5..self.window as usize * 6) } else { usize::MAX };
        match agency.exchange.clone().collect(ReceiverStream::new(queue)).await {
            Ok(responses) => {
                let responses = responses.into_inner();
                Some(Stream { call, requests, responses, asked: VecDeque::new(), left, neglected: false })
            }
            Err(status) => {
                self.desk.journal.failed(&self.desk.name, &status);
                None
            }
        }
    }

    async fn serve(&mut self, stream: &mut Stream) {
        let tidy = self.desk.tidy.clone();
        loop {
            let response = tokio::select! {
                response = stream.responses.message() => response,
                () = tidy.cancelled(), if stream.neglected => return,
            };
            let Some(response) = self.arrived(response) else { return };
            self.work_on(stream, response).await;
            if stream.left == 0 && !tidy.is_cancelled() {
                if self.desk.rng.bool() {
                    self.bid_farewell(stream).await;
                }
                return;
            }
        }
    }

    fn arrived(
        &self,
        response: Result<Option<v1::CollectResponse>, tonic::Status>,
    ) -> Option<v1::CollectResponse> {
        match response {
            Ok(Some(response)) => {
                self.desk.journal.answered(&self.desk.name);
                return Some(response);
            }
            Ok(None) => self.desk.journal.broken(&self.desk.name, "Collect ended by itself"),
            Err(status) => self.desk.journal.failed(&self.desk.name, &status),
        }
        None
    }

    async fn work_on(&mut self, stream: &mut Stream, response: v1::CollectResponse) {
        for result in response.settled {
            self.desk.settled(stream.asked.pop_front(), result, stream.call);
        }
        stream.left = stream.left.saturating_sub(response.deliveries.len());
        let mut settlements = self.desk.receive(response.deliveries, stream.call);
        if self.hangs_up && !self.desk.tidy.is_cancelled() {
            let all = settlements.len();
            settlements.retain(|_| self.desk.rng.u8(..100) >= NEGLECTED_PERCENT);
            stream.neglected |= settlements.len() < all;
        }
        if settlements.is_empty() {
            return;
        }
        if self.pause_ms_max > 0 {
            let pause = self.desk.rng.u64(..=self.pause_ms_max);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        self.desk.settling(&settlements);
        stream.asked.extend(settlements.iter().cloned());
        let settle = Request::Settle(v1::CollectSettle { settlements });
        // A connection that is gone shows in the responses.
        let _gone = stream.requests.try_send(v1::CollectRequest { request: Some(settle) }).is_err();
    }

    /// Ends the stream in good order: says that nothing more will be settled, and waits for the answers.
    async fn bid_farewell(&mut self, stream: &mut Stream) {
        stream.requests = mpsc::channel(1).0;
        loop {
            match stream.responses.message().await {
                Ok(Some(response)) => {
                    for result in response.settled {
                        self.desk.settled(stream.asked.pop_front(), result, stream.call);
                    }
                    self.desk.receive(response.deliveries, stream.call);
                }
                Ok(None) if stream.asked.is_empty() => return,
                Ok(None) => {
                    let open = stream.asked.len();
                    return self.desk.journal.broken(&self.desk.name, format!("ended, {open} unanswered"));
                }
                Err(status) => return self.desk.journal.failed(&self.desk.name, &status),
            }
        }
    }
}
