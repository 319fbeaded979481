//! The client processes of a measurement, as the measuring process sees them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::error::Error;
use super::meter::Meter;
use super::plan::{Amount, Event, Order, Outcome, Phase, Plan, Progress};

/// The hidden command that makes a client process of this program.
pub const COMMAND: &str = "bench-client";

/// A phase in which nothing has ended for so long will not end: documents are missing.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Longest wait for all connections, and for the outcome.
const PATIENCE: Duration = Duration::from_secs(120);

/// Client processes, connected.
pub struct Clients {
    processes: Vec<Process>,
    events: mpsc::Receiver<(usize, Option<Event>)>,
    phase: u32,
    ends_each: u64,
    silence_max: Duration,
}

struct Process {
    // Killed when it is dropped.
    child: Child,
    orders: ChildStdin,
    progress: Progress,
}

impl Clients {
    /// Starts a client process for each plan, and waits until their organs are connected.
    pub async fn start(plans: &[Plan]) -> Result<Self, Error> {
        let (told, events) = mpsc::channel(64);
        let mut processes = Vec::with_capacity(plans.len());
        for (number, plan) in plans.iter().enumerate() {
            let mut child = spawn()?;
            let (Some(mut orders), Some(out)) = (child.stdin.take(), child.stdout.take()) else {
                return Err(gone(number, "it has no pipes"));
            };
            tokio::spawn(read_events(number, out, told.clone()));
            write(number, &mut orders, plan).await?;
            processes.push(Process { child, orders, progress: Progress::default() });
        }
        let ends_each = plans.first().map_or(1, |plan| plan.ends_each);
        let mut clients = Self { processes, events, phase: 0, ends_each, silence_max: SILENCE_MAX };
        let deadline = Instant::now() + PATIENCE;
        let mut ready = 0;
        while ready < clients.processes.len() {
            match clients.event(deadline).await? {
                Some((_, Event::Ready)) => ready += 1,
                Some(_) => {}
                None => return Err(gone(ready, "its organs are not connected yet")),
            }
        }
        Ok(clients)
    }

    /// The same ones, and documents may take so long to end.
    #[must_use]
    pub fn patient(self, silence_max: Duration) -> Self {
        Self { silence_max, ..self }
    }

    /// Has documents sent, and waits until all have ended, or until nothing has ended for half a minute.
    pub async fn run(&mut self, amount: Amount, rate_per_s: Option<f64>, meter: &Meter) -> Result<(), Error> {
        self.phase += 1;
        let order = Order::Run(Phase { number: self.phase, amount, rate_per_s });
        let before = self.ended();
        for (number, process) in self.processes.iter_mut().enumerate() {
            write(number, &mut process.orders, &order).await?;
        }
        let mut silent_until = Instant::now() + self.silence_max;
        while !self.is_over() {
            let ended = self.ended();
            match self.event(silent_until).await? {
                Some((number, Event::Progress(progress))) => self.processes[number].progress = progress,
                Some(_) => {}
                None => return Ok(()),
            }
            if self.ended() != ended {
                silent_until = Instant::now() + self.silence_max;
                meter.at((self.ended() - before) / self.ends_each);
            }
        }
        Ok(())
    }

    /// Waits until so many documents have ended that nobody was told to send.
    pub async fn wait_for(&mut self, ended: u64) -> Result<(), Error> {
        let deadline = Instant::now() + SILENCE_MAX;
        while self.ended() < ended {
            match self.event(deadline).await? {
                Some((number, Event::Progress(progress))) => self.processes[number].progress = progress,
                Some(_) => {}
                None => return Err(gone(0, &format!("{} of {ended} deliveries came", self.ended()))),
            }
        }
        Ok(())
    }

    /// Ends the processes; gives what came of each.
    pub async fn finish(mut self) -> Result<Vec<Outcome>, Error> {
        for (number, process) in self.processes.iter_mut().enumerate() {
            write(number, &mut process.orders, &Order::Finish).await?;
        }
        let deadline = Instant::now() + PATIENCE;
        let mut outcomes = Vec::new();
        while outcomes.len() < self.processes.len() {
            match self.event(deadline).await? {
                Some((_, Event::Outcome(outcome))) => outcomes.push(*outcome),
                Some(_) => {}
                None => return Err(gone(outcomes.len(), "it does not end")),
            }
        }
        for (number, mut process) in self.processes.into_iter().enumerate() {
            drop(process.orders);
            let ended = process.child.wait().await;
            ended.map_err(Error::system(format!("client process {number}")))?;
        }
        Ok(outcomes)
    }

    fn is_over(&self) -> bool {
        let all_sent =
            self.processes.iter().all(|p| p.progress.phase == self.phase && p.progress.sending == 0);
        let submitted: u64 = self.processes.iter().map(|p| p.progress.submitted).sum();
        all_sent && self.ended() >= self.ends_each * submitted
    }

    fn ended(&self) -> u64 {
        self.processes.iter().map(|process| process.progress.ended).sum()
    }

    /// The next event; none when there is none by then.
    async fn event(&mut self, by: Instant) -> Result<Option<(usize, Event)>, Error> {
        match tokio::time::timeout_at(by, self.events.recv()).await {
            Ok(Some((number, Some(Event::Failed(reason))))) => Err(gone(number, &reason)),
            Ok(Some((number, Some(event)))) => Ok(Some((number, event))),
            Ok(Some((number, None))) => Err(gone(number, "it ended")),
            Ok(None) => Err(gone(0, "all have ended")),
            Err(_) => Ok(None),
        }
    }
}

/// This program's file, to be run again.
pub fn program() -> PathBuf {
    let link = PathBuf::from("/proc/self/exe");
    std::fs::read_link(&link).ok().filter(|path| path.exists()).unwrap_or(link)
}

fn spawn() -> Result<Child, Error> {
    Command::new(program())
        .arg(COMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(Error::system("a client process"))
}

async fn read_events(number: usize, out: ChildStdout, told: mpsc::Sender<(usize, Option<Event>)>) {
    let mut lines = BufReader::new(out).lines();
    let mut last = false;
    while let Ok(Some(line)) = lines.next_line().await {
        let event = serde_json::from_str(&line).unwrap_or_else(|error| Event::Failed(error.to_string()));
        last = matches!(event, Event::Outcome(_) | Event::Failed(_));
        if told.send((number, Some(event))).await.is_err() {
            return;
        }
    }
    if !last {
        // Nobody waits for it any more, or it is news.
        let _gone = told.send((number, None)).await.is_err();
    }
}

async fn write<T: Serialize>(number: usize, orders: &mut ChildStdin, what: &T) -> Result<(), Error> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    let written = match orders.write_all(&line).await {
        Ok(()) => orders.flush().await,
        Err(error) => Err(error),
    };
    written.map_err(Error::system(format!("client process {number}")))
}

fn gone(number: usize, reason: &str) -> Error {
    Error::Client { number, reason: reason.to_owned() }
}
