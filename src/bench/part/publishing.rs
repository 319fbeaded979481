//! An organ that publishes steps of dossiers on one stream, pipelined, and takes the answers.

use std::rc::Rc;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::DossierClient;
use crate::bench::desk::{Desk, Organ, Outbox, Tasks, now};
use crate::bench::dossiers::{Script, Steps};
use crate::bench::error::Error;
use crate::proto::v1::{PublishResult, PublishStreamRequest};

const CALL: &str = "PublishStream";
/// Most steps in one message.
const BATCH_MAX: usize = 250;

/// Opens the stream and starts to publish and to read.
pub async fn start(
    desk: &Rc<Desk>,
    organ: &Rc<Organ>,
    mut client: DossierClient,
    steps: &Steps,
    tasks: &mut Tasks,
) -> Result<(), Error> {
    let id = desk.plan.organs[organ.number].clone();
    // There are never more on their way, so that there is always room.
    let (out, requests) = mpsc::channel(desk.plan.window);
    let opened = client.publish_stream(ReceiverStream::new(requests)).await;
    let mut answers = opened.map_err(|status| Error::call(CALL, &id, status))?.into_inner();
    let script = Script::new(steps.clone(), &desk.plan.organs);
    let mut outbox = Outbox::new(desk, organ);
    let (number, sender) = (organ.number, id.clone());
    tasks.spawn_local(async move {
        while let Some((ordinal, at)) = outbox.next().await {
            let mut steps = Vec::with_capacity(BATCH_MAX);
            steps.push(script.step(number, ordinal, at));
            while steps.len() < BATCH_MAX
                && let Some((ordinal, at)) = outbox.next_if_due().await
            {
                steps.push(script.step(number, ordinal, at));
            }
            let request = PublishStreamRequest { organ: String::new(), steps };
            out.send(request).await.map_err(|_| Error::call(CALL, &sender, "the stream ended"))?;
        }
        Ok(())
    });
    let (desk, organ) = (Rc::clone(desk), Rc::clone(organ));
    tasks.spawn_local(async move {
        let mut answered = 0;
        loop {
            let message = tokio::select! {
                () = desk.stop.cancelled() => return Ok(()),
                message = answers.message() => message.map_err(|status| Error::call(CALL, &id, status))?,
            };
            let Some(message) = message else { return Err(Error::call(CALL, &id, "the stream ended")) };
            if let Some(refusal) = message.refusal {
                return Err(Error::call(CALL, &id, refusal.message));
            }
            answered = take(&desk, &organ, &message.results, answered);
        }
    });
    Ok(())
}

/// Notes answers, which come in the order of the steps; gives how many there are now.
fn take(desk: &Desk, organ: &Organ, results: &[PublishResult], mut answered: u64) -> u64 {
    let at = now();
    let mut log = organ.sent.borrow_mut();
    for result in results {
        let is_plain = result.position > 0 && result.flags.is_empty() && !result.repeated_step;
        match &result.refusal {
            None if is_plain => log.accepted(answered, at),
            None => log.sent.faults.add(|| format!("a step was not taken as a usual one: {result:?}")),
            Some(refusal) => log.sent.faults.add(|| format!("a step was refused: {}", refusal.message)),
        }
        answered += 1;
    }
    log.ended(at);
    organ.window.add_permits(results.len());
    desk.ended(results.len());
    answered
}
