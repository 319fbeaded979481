//! The log of dossiers: how fast steps are published and followed at the same time, beside plain RabbitMQ; what steps stored before cost; how fast
//! the past is read.

mod crew;
mod steps;

use super::backing::Servers;
use super::deployment::Deployment;
use super::error::Error;
use super::gateway::Site;
use super::options::Options;
use super::report::{Conditions, DossiersReport, LogFigures, LogRounds};
use super::roll::Roll;
use super::round::Round;
use super::set_up::SetUp;

pub use crew::Crew;
pub use steps::{Follower, STEPS_EACH, Script, Steps};

/// How the log of dossiers is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLoad {
    /// Dossiers each publisher has in hand at a time.
    pub open: u64,
    /// Steps stored before, to set the same load on an empty log beside.
    pub stored: u64,
}

/// Measures each set-up and the baseline, and again, ... so that what else the machine does falls on all.
pub async fn measure(options: &Options, load: LogLoad) -> Result<DossiersReport, Error> {
    let conditions = Conditions::of(options)?;
    let publishers = options.load.organs;
    let site = Site::build(&options.data, Roll::flat(publishers + 1), options.load.window, 0)?;
    let site = site.read_by(publishers)?;
    let crew = Crew::new(&options.load, load.open, &site.roll.organs);
    let mut measured = Vec::new();
    for (place, set_up) in options.set_ups.iter().enumerate() {
        let filled = fill(options, load, &site, &crew, (place, *set_up)).await?;
        measured.push((*set_up, filled));
    }
    let mut baseline = Vec::new();
    for number in 1..=options.rounds {
        for (place, (set_up, filled)) in measured.iter_mut().enumerate() {
            if let Some(deployment) = &filled.deployment {
                let what = format!("{number}. {}, stored", set_up.name());
                let round = crew.live(&deployment.door, &deployment.nodes, &what).await?;
                filled.events += round.verdict.submitted;
                filled.rounds.stored.push(round);
            }
            let name = format!("round-{number}-{}", place + 1);
            let (live, read) = empty(options, &site, &crew, (&name, *set_up), number).await?;
            filled.rounds.live.push(live);
            filled.rounds.read.push(read);
        }
        if let Some(url) = &options.rabbitmq {
            baseline.push(crew.baseline(url, &format!("{number}. RabbitMQ")).await?);
        }
    }
    let mut figures = Vec::new();
    for (set_up, filled) in measured {
        figures.push(LogFigures::of(set_up, &filled.finish(&crew, set_up).await?));
    }
    Ok(DossiersReport::of(conditions, load, figures, &baseline))
}

/// A log with steps stored before, where that was asked for, and what was measured so far.
struct Filled<'a> {
    deployment: Option<Deployment<'a>>,
    events: u64,
    rounds: LogRounds,
}

impl Filled<'_> {
    /// Reads all that was stored, and removes it.
    async fn finish(mut self, crew: &Crew<'_>, set_up: SetUp) -> Result<LogRounds, Error> {
        if let Some(deployment) = self.deployment {
            let what = format!("{}, the past", set_up.name());
            let read = crew.read(&deployment.door, &deployment.nodes, self.events, &what).await;
            // What went wrong before is the better thing to tell.
            let removed = deployment.remove().await;
            self.rounds.past = Some(read?);
            removed?;
        }
        Ok(self.rounds)
    }
}

async fn fill<'a>(
    options: &Options,
    load: LogLoad,
    site: &'a Site,
    crew: &Crew<'_>,
    (place, set_up): (usize, SetUp),
) -> Result<Filled<'a>, Error> {
    let mut filled = Filled { deployment: None, events: 0, rounds: LogRounds::default() };
    if load.stored > 0 {
        let name = format!("stored-{}", place + 1);
        let deployment = Deployment::start(site, &name, set_up, Servers::of(options)).await?;
        let what = format!("{}, filling", set_up.name());
        let round = crew.fill(&deployment.door, load.stored, &what).await?;
        (filled.deployment, filled.events) = (Some(deployment), round.verdict.submitted);
        filled.rounds.fill = Some(round);
    }
    Ok(filled)
}

/// Publishing and following on an empty log, then reading it from its start.
async fn empty(
    options: &Options,
    site: &Site,
    crew: &Crew<'_>,
    (name, set_up): (&str, SetUp),
    number: usize,
) -> Result<(Round, Round), Error> {
    let deployment = Deployment::start(site, name, set_up, Servers::of(options)).await?;
    let (door, nodes) = (&deployment.door, &deployment.nodes);
    let what = format!("{number}. {}", set_up.name());
    let measured = async {
        let live = crew.live(door, nodes, &what).await?;
        let read = crew.read(door, nodes, live.verdict.submitted, &format!("{what}, the past")).await?;
        Ok::<_, Error>((live, read))
    };
    let measured = measured.await;
    // What went wrong before is the better thing to tell.
    let removed = deployment.remove().await;
    let rounds = measured?;
    removed.map(|()| rounds)
}
