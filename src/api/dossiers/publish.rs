//! Publishing: a batch, or batches on a stream.

use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::Dossiers;
use crate::api::Api;
use crate::api::caller::Caller;
use crate::api::streams::OpenStream;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::intake::ledger_failed;
use crate::proto::{convert, v1};
use crate::submission::StepBatch;

/// Requests of a stream that were handed over and are not answered yet.
const STREAM_REQUESTS_MAX: usize = 32;

impl Dossiers {
    /// One batch.
    pub async fn publish_steps(
        &self,
        caller: Caller,
        request: v1::PublishRequest,
    ) -> Result<v1::PublishResponse, Refusal> {
        let speaker = self.api.speaker(caller, &request.organ, "organ")?;
        let batch = self.parts.desk.hand_over(&speaker.organ, request.steps).await?;
        Ok(v1::PublishResponse { results: self.results(batch).await? })
    }

    /// Many batches, one response each, in order.
    pub fn publish_on_stream(
        &self,
        caller: OrganId,
        inbound: Streaming<v1::PublishStreamRequest>,
        open: OpenStream,
    ) -> BoxStream<'static, Result<v1::PublishStreamResponse, Status>> {
        let (batches, handed_over) = mpsc::channel(STREAM_REQUESTS_MAX);
        self.api.tasks.spawn(self.clone().read_batches(caller, inbound, batches));
        let this = self.clone();
        let responses = ReceiverStream::new(handed_over).then(move |batch| {
            let this = this.clone();
            async move {
                let results = match batch? {
                    Ok(batch) => this.results(batch).await.map_err(|refusal| this.api.refuse(&refusal))?,
                    Err(refusal) => {
                        let refusal = Some(convert::refusal(&refusal));
                        return Ok(v1::PublishStreamResponse { results: Vec::new(), refusal });
                    }
                };
                Ok(v1::PublishStreamResponse { results, refusal: None })
            }
        });
        responses.inspect(move |_| _ = &open).boxed()
    }

    async fn read_batches(
        self,
        caller: OrganId,
        mut inbound: Streaming<v1::PublishStreamRequest>,
        batches: mpsc::Sender<Result<Result<StepBatch, Refusal>, Status>>,
    ) {
        loop {
            // A place for the answer first: what is not answered is bounded.
            let Ok(place) = batches.reserve().await else { return };
            let message = tokio::select! {
                message = inbound.message() => message,
                () = self.api.stop.cancelled() => {
                    return place.send(Err(self.api.refuse(&Api::shutting_down())));
                }
            };
            match message {
                Ok(Some(request)) => {
                    let speaker = self.api.speaker(Caller::Organ(caller.clone()), &request.organ, "organ");
                    let batch = match speaker {
                        Ok(speaker) => {
                            let in_turn = self.parts.desk.hand_over_in_turn(&speaker.organ, request.steps);
                            let Some(batch) = self.api.stop.run_until_cancelled(in_turn).await else {
                                return place.send(Err(self.api.refuse(&Api::shutting_down())));
                            };
                            batch
                        }
                        Err(refusal) => Err(refusal),
                    };
                    place.send(Ok(batch));
                }
                Ok(None) => return,
                Err(status) => return place.send(Err(self.api.broken_off(status))),
            }
        }
    }

    async fn results(&self, batch: StepBatch) -> Result<Vec<v1::PublishResult>, Refusal> {
        self.parts.desk.results(batch).await.map_err(|error| ledger_failed(&error))
    }
}
