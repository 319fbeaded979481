//! An organ that submits on one stream, pipelined, and takes the answers.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::Client;
use crate::bench::desk::{Desk, Organ, Outbox, Tasks, now};
use crate::bench::documents::Route;
use crate::bench::error::Error;
use crate::proto::v1::{self, SubmitStreamRequest, submit_result::Result as Answer};

const CALL: &str = "SubmitStream";

/// When a document has ended for its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// When it is accepted.
    Answer,
    /// When the delivered receipt is seen, which is not seen here.
    Receipt,
}

struct Submitter {
    desk: Rc<Desk>,
    organ: Rc<Organ>,
    route: Route,
    out: mpsc::Sender<SubmitStreamRequest>,
    end: End,
}

/// Opens the stream and starts to send and to read.
pub async fn start(
    desk: &Rc<Desk>,
    organ: &Rc<Organ>,
    mut client: Client,
    end: End,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let id = &desk.plan.organs[organ.number];
    // There are never more on their way, so that there is always room.
    let (out, requests) = mpsc::channel(desk.plan.window);
    let opened = client.submit_stream(ReceiverStream::new(requests)).await;
    let mut answers = opened.map_err(|status| Error::call(CALL, id, status))?.into_inner();
    let submitter = Rc::new(Submitter {
        desk: Rc::clone(desk),
        organ: Rc::clone(organ),
        route: desk.plan.documents.route(organ.number),
        out,
        end,
    });
    let mut outbox = Outbox::new(desk, organ);
    let sender = Rc::clone(&submitter);
    tasks.spawn_local(async move {
        while let Some((ordinal, _)) = outbox.next().await {
            sender.send(ordinal).await?;
        }
        Ok(())
    });
    let id = id.clone();
    tasks.spawn_local(async move {
        let desk = Rc::clone(&submitter.desk);
        loop {
            let message = tokio::select! {
                () = desk.stop.cancelled() => return Ok(()),
                message = answers.message() => message.map_err(|status| Error::call(CALL, &id, status))?,
            };
            let Some(message) = message else { return Err(Error::call(CALL, &id, "the stream ended")) };
            message.results.into_iter().for_each(|result| submitter.answered(result));
        }
    });
    Ok(())
}

impl Submitter {
    async fn send(&self, ordinal: u64) -> Result<(), Error> {
        let request = SubmitStreamRequest { submission: Some(self.submission(ordinal)) };
        let gone = |_| Error::call(CALL, &self.desk.plan.organs[self.organ.number], "the stream ended");
        self.out.send(request).await.map_err(gone)
    }

    fn submission(&self, ordinal: u64) -> v1::Submission {
        let (documents, sender) = (&self.desk.plan.documents, self.organ.number);
        let header = v1::DocumentHeader {
            recipients: vec![self.desk.plan.organs[self.route.recipient(ordinal)].clone()],
            subject: format!("V/v đo năng lực trục liên thông, văn bản {ordinal}"),
            code: Some(v1::DocumentCode {
                number: (ordinal % 100_000_000_000).to_string(),
                notation: "CV-TLT".to_owned(),
            }),
            promulgation_date: "2026-01-15".to_owned(),
            promulgation_place: "Hà Nội".to_owned(),
            document_type: "Công văn".to_owned(),
            ..v1::DocumentHeader::default()
        };
        let document = v1::OpaqueDocument {
            header: Some(header),
            payload: documents.payload(sender, ordinal).into(),
            media_type: "application/octet-stream".to_owned(),
        };
        v1::Submission {
            message_id: documents.id(sender, ordinal),
            content: Some(v1::submission::Content::Document(document)),
            ..v1::Submission::default()
        }
    }

    fn answered(self: &Rc<Self>, result: v1::SubmitResult) {
        let at = now();
        let mut log = self.organ.sent.borrow_mut();
        let known = self.desk.plan.documents.parse(&result.message_id);
        let Some((sender, ordinal)) = known.filter(|(sender, _)| *sender == self.organ.number) else {
            return log.sent.faults.add(|| format!("an answer about {}", result.message_id));
        };
        debug_assert_eq!(sender, log.sent.organ);
        match result.result {
            Some(Answer::Acceptance(acceptance)) => {
                let receipt = acceptance.receipt.unwrap_or_default();
                if acceptance.repeated_submission || receipt.message_sequence != 1 {
                    log.sent.faults.add(|| format!("document {ordinal} was accepted as a repeated one"));
                }
                log.accepted(ordinal, at);
                if self.end == End::Answer {
                    log.ended(at);
                    self.over();
                }
            }
            Some(Answer::Refusal(refusal)) => match refusal
                .retry_delay
                .and_then(|delay| delay.try_into().ok())
            {
                Some(delay) => {
                    log.sent.resubmitted += 1;
                    self.send_later(ordinal, delay);
                }
                None => {
                    log.sent.faults.add(|| format!("document {ordinal} was refused: {}", refusal.message));
                    self.over();
                }
            },
            None => log.sent.faults.add(|| format!("no answer about document {ordinal}")),
        }
    }

    fn over(&self) {
        self.organ.window.add_permits(1);
        self.desk.ended(1);
    }

    fn send_later(self: &Rc<Self>, ordinal: u64, delay: Duration) {
        let submitter = Rc::clone(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(delay).await;
            // If the stream is gone, the task that reads it says so.
            let _gone = submitter.send(ordinal).await.is_err();
        });
    }
}
