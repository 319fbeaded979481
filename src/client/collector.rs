//! A collector's stream: deliveries in, settlements out.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

use super::error::CallError;
use crate::domain::limits::WINDOW_MAX;
use crate::proto::v1::document_exchange_service_client::DocumentExchangeServiceClient;
use crate::proto::v1::{self, collect_request};

/// Settlements on their way; as many messages as there can be deliveries to settle.
const SETTLES_MAX: usize = WINDOW_MAX as usize;

/// An open collector. What is not settled when it is dropped is offered again.
#[derive(Debug)]
pub struct Collector {
    settles: mpsc::Sender<v1::CollectRequest>,
    responses: Streaming<v1::CollectResponse>,
}

impl Collector {
    pub(super) async fn open(
        mut exchange: DocumentExchangeServiceClient<Channel>,
        first: v1::CollectRequest,
    ) -> Result<Self, CallError> {
        let (settles, requests) = mpsc::channel(SETTLES_MAX);
        if settles.try_send(first).is_err() {
            return Err(CallError::unexpected("nothing, and the stream had no room"));
        }
        let responses = exchange.collect(ReceiverStream::new(requests)).await?.into_inner();
        Ok(Self { settles, responses })
    }

    /// The next deliveries and results of settlements; nothing when the gateway has ended the stream.
    pub async fn next(&mut self) -> Result<Option<v1::CollectResponse>, CallError> {
        Ok(self.responses.message().await?)
    }

    /// Settles deliveries that came on this stream, 1 to 1,000 at a time; [`Collector::next`] brings the results.
    pub async fn settle(&self, settlements: Vec<v1::Settlement>) {
        let settle = v1::CollectSettle { settlements };
        let request = v1::CollectRequest { request: Some(collect_request::Request::Settle(settle)) };
        // When the stream has ended, `next` says why.
        let _ended = self.settles.send(request).await.is_err();
    }

    /// Says that no further settlement comes; the results that are still to come follow.
    pub fn end(self) -> EndedCollector {
        EndedCollector { responses: self.responses }
    }
}

/// A collector that settles no more.
#[derive(Debug)]
pub struct EndedCollector {
    responses: Streaming<v1::CollectResponse>,
}

impl EndedCollector {
    /// See [`Collector::next`]. Deliveries that still come are offered again to somebody else.
    pub async fn next(&mut self) -> Result<Option<v1::CollectResponse>, CallError> {
        Ok(self.responses.message().await?)
    }
}
