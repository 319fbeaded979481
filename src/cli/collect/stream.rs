//! Collecting without an end: a stream that is opened again when it breaks.

use std::time::Duration;

use super::desk::Desk;
use crate::cli::exit::Exit;
use crate::cli::signals::stop_asked;
use crate::client::{Agency, CallError, Collector};
use crate::proto::v1;

/// How long the answers to the last settlements are waited for.
const LAST_ANSWERS_TIMEOUT: Duration = Duration::from_secs(10);

enum Ended {
    Asked,
    Exit(Exit),
    Call(CallError),
    ByGateway,
}

impl From<Exit> for Ended {
    fn from(exit: Exit) -> Self {
        Self::Exit(exit)
    }
}

impl From<CallError> for Ended {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

/// Collects until asked to stop, or the gateway cannot be reached for long.
pub async fn collect(agency: &Agency, organ: &str, window: u32, desk: &mut Desk) -> Result<(), Exit> {
    let stop = stop_asked();
    tokio::pin!(stop);
    let open = v1::CollectOpen { organ: organ.to_owned(), window, lease: None };
    let mut failed = 0;
    loop {
        let before = desk.collected();
        let ended = tokio::select! {
            opened = agency.collect(open.clone()) => match opened {
                Ok(collector) => serve(collector, desk, stop.as_mut()).await,
                Err(error) => Ended::Call(error),
            },
            stopped = stop.as_mut() => return stopped,
        };
        failed = if desk.collected() == before { failed + 1 } else { 1 };
        let delay = match ended {
            Ended::Asked => return Ok(()),
            Ended::Exit(exit) => return Err(exit),
            Ended::ByGateway => return Err(Exit::Failed("the gateway ended the stream".to_owned())),
            Ended::Call(error) => match agency.patience().delay(&error, failed, fastrand::f64()) {
                Some(delay) => delay,
                None => return Err(Exit::failed(error)),
            },
        };
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            stopped = stop.as_mut() => return stopped,
        }
    }
}

async fn serve(
    mut collector: Collector,
    desk: &mut Desk,
    mut stop: impl Future<Output = Result<(), Exit>> + Unpin,
) -> Ended {
    loop {
        let next = tokio::select! {
            next = collector.next() => next,
            stopped = &mut stop => return match stopped {
                Ok(()) => last_answers(collector, desk).await,
                Err(exit) => Ended::Exit(exit),
            },
        };
        let Err(ended) = answer(next, &collector, desk).await else { continue };
        return ended;
    }
}

async fn answer(
    next: Result<Option<v1::CollectResponse>, CallError>,
    collector: &Collector,
    desk: &mut Desk,
) -> Result<(), Ended> {
    let Some(response) = next? else { return Err(Ended::ByGateway) };
    let settlements = desk.take(response.deliveries).await?;
    if !settlements.is_empty() {
        collector.settle(settlements).await;
    }
    Ok(desk.settled(&response.settled)?)
}

/// What was settled is answered before the stream ends; deliveries that still come are left to be offered again.
async fn last_answers(collector: Collector, desk: &mut Desk) -> Ended {
    let mut ended = collector.end();
    let answers = async {
        while let Some(response) = ended.next().await? {
            desk.settled(&response.settled)?;
        }
        Ok(())
    };
    match tokio::time::timeout(LAST_ANSWERS_TIMEOUT, answers).await {
        Ok(Ok(())) | Err(_) => Ended::Asked,
        Ok(Err(ended)) => ended,
    }
}
