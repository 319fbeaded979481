//! Submitting: one message, or many on a stream.

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::Api;
use super::streams::OpenStream;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::submission::{self, Answer, Batch};

/// Submissions of a stream handed over together.
const BATCH_MAX: usize = 64;

/// A batch and its place in the window, given back when it is answered.
struct Windowed {
    batch: Batch,
    _room: OwnedSemaphorePermit,
}

impl Api {
    /// One message.
    pub async fn submit(
        &self,
        caller: OrganId,
        submission: Option<v1::Submission>,
    ) -> Result<v1::Acceptance, Refusal> {
        let batch = self.desk.hand_over([(caller, submission)].into_iter()).await;
        let mut results = self.answers(batch).await;
        let (_, result) = results.pop().expect("one submission has one result");
        result.map(|taken| taken.acceptance())
    }

    /// Many messages, one answer each, in order.
    pub fn submit_stream(
        self: Arc<Self>,
        caller: OrganId,
        inbound: Streaming<v1::SubmitStreamRequest>,
        open: OpenStream,
    ) -> BoxStream<'static, Result<v1::SubmitStreamResponse, Status>> {
        // As many batches as there may be submissions; the window counts those.
        let (batches, answers) = mpsc::channel(self.limits.stream_window);
        self.tasks.spawn(Arc::clone(&self).read_submissions(caller, inbound, batches));
        let answered = ReceiverStream::new(answers).then(move |batch: Result<Windowed, Status>| {
            let api = Arc::clone(&self);
            async move {
                let Windowed { batch, _room } = batch?;
                Ok(stream_response(api.answers(batch).await))
            }
        });
        answered.inspect(move |_| _ = &open).boxed()
    }

    async fn read_submissions(
        self: Arc<Self>,
        caller: OrganId,
        inbound: Streaming<v1::SubmitStreamRequest>,
        batches: mpsc::Sender<Result<Windowed, Status>>,
    ) {
        let window = Arc::new(tokio::sync::Semaphore::new(self.limits.stream_window));
        let mut inbound = inbound.ready_chunks(BATCH_MAX.min(self.limits.stream_window));
        loop {
            let chunk = tokio::select! {
                chunk = inbound.next() => chunk,
                () = batches.closed() => return,
                () = self.stop.cancelled() => {
                    let _gone = batches.send(Err(self.refuse(&Self::shutting_down()))).await.is_err();
                    return;
                }
            };
            let Some(chunk) = chunk else { return };
            let mut fault = None;
            let mut submissions = Vec::with_capacity(chunk.len());
            for message in chunk {
                match message {
                    Ok(message) => submissions.push((caller.clone(), message.submission)),
                    // The first says what is wrong; what the library says after it is about the rest.
                    Err(status) => _ = fault.get_or_insert_with(|| self.broken_off(status)),
                }
            }
            let count = u32::try_from(submissions.len()).unwrap_or(u32::MAX);
            let Ok(_room) = Arc::clone(&window).acquire_many_owned(count).await else { return };
            let batch = self.desk.hand_over(submissions.into_iter()).await;
            if batches.send(Ok(Windowed { batch, _room })).await.is_err() {
                return;
            }
            if let Some(status) = fault {
                let _gone = batches.send(Err(status)).await.is_err();
                return;
            }
        }
    }

    async fn answers(&self, batch: Batch) -> Vec<Answer> {
        let answers = self.desk.answer(batch).await;
        answers.iter().for_each(|answer| self.desk.told(answer));
        answers
    }
}

fn stream_response(answers: Vec<Answer>) -> v1::SubmitStreamResponse {
    v1::SubmitStreamResponse { results: answers.into_iter().map(submission::result).collect() }
}
