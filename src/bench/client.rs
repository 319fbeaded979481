//! A client process: reads a plan, plays its organs, tells how far it is. It ends when its orders do, so that none is left
//! over when the measuring process is gone.

use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use super::desk::{Desk, Tasks};
use super::error::Error;
use super::part;
use super::plan::{Event, Order, Plan, Progress};

/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(20);

/// Plays the part that the plan on standard input gives; the outcome goes to standard output.
pub fn run() -> Result<(), Error> {
    let Some(plan) = line::<Plan>()? else { return Ok(()) };
    let (ordered, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        while let Ok(Some(order)) = line::<Order>() {
            if ordered.send(order).is_err() {
                return;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::system("the client's runtime"))?;
    let played = LocalSet::new().block_on(&runtime, play(plan, orders));
    if let Err(error) = &played {
        tell(&Event::Failed(error.to_string()))?;
    }
    Ok(())
}

async fn play(plan: Plan, mut orders: mpsc::UnboundedReceiver<Order>) -> Result<(), Error> {
    let desk = Rc::new(Desk::new(plan));
    let mut tasks: Tasks = JoinSet::new();
    part::start(&desk, &mut tasks).await?;
    tell(&Event::Ready)?;
    let mut told = Progress::default();
    let mut ticks = tokio::time::interval(PROGRESS_INTERVAL);
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Run(phase)) => desk.run(phase),
                Some(Order::Finish) => break,
                None => return Ok(()),
            },
            _ = ticks.tick() => {
                let progress = desk.progress.get();
                if progress != told {
                    told = progress;
                    tell(&Event::Progress(progress))?;
                }
            }
            Some(ended) = tasks.join_next() => ended.map_err(io::Error::other).map_err(Error::system("a task"))??,
        }
    }
    let outcome = desk.outcome();
    desk.stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(io::Error::other).map_err(Error::system("a task"))??;
    }
    tell(&Event::Outcome(Box::new(outcome)))
}

/// The next line of standard input; none at its end.
fn line<T: DeserializeOwned>() -> Result<Option<T>, Error> {
    let mut line = String::new();
    match io::stdin().read_line(&mut line).map_err(Error::system("standard input"))? {
        0 => Ok(None),
        _ => Ok(Some(serde_json::from_str(&line)?)),
    }
}

fn tell(event: &Event) -> Result<(), Error> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line).and_then(|()| out.flush()).map_err(Error::system("standard output"))
}
