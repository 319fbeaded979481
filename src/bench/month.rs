//! A month of the whole country: documents between ministries and provinces, and steps of dossiers to the portal, at once.

use std::time::{Duration, Instant};

use futures_util::try_join;

use super::backing::Servers;
use super::clients::Clients;
use super::deployment::Deployment;
use super::dossiers::{Crew, STEPS_EACH};
use super::error::Error;
use super::gateway::Site;
use super::meter::Meter;
use super::options::{Load, Options};
use super::plan::{Amount, Plan};
use super::report::{Conditions, MonthReport};
use super::roll::{COUNTRY_MIN, Roll};
use super::round::{self, Cast, Round, Taken};
use super::sizes::Sizes;
use super::verdict::Promise;

/// Documents over the national axis, 24 March to 24 April 2025, and dossiers of the National Public Service Portal, April 2025.
const DOCUMENTS: f64 = 1_259_499.0;
const DOSSIERS: f64 = 1_600_000.0;
/// April.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);
/// Bytes of a step, dossiers each body has in hand, and steps it has on their way.
const STEP_BYTES: usize = 300;
const OPEN: u64 = 500;
const STEPS_WINDOW: usize = 500;
/// While the disk is busy with large documents.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// What was sent in how long.
pub struct Played {
    /// The documents.
    pub documents: Round,
    /// The steps.
    pub steps: Round,
    /// Payload bytes of the documents.
    pub bytes: u64,
    /// From the first to the last of both.
    pub took: Duration,
    /// How many times faster than the month.
    pub times: f64,
}

/// The organs of the month: each writes to all others; the last one is the portal, to which all others publish.
pub fn organs() -> usize {
    COUNTRY_MIN - 1
}

/// How many documents and steps a share of the month has.
pub fn amounts(scale: f64) -> (u64, u64) {
    let count = |all: f64| (all * scale).ceil() as u64;
    (count(DOCUMENTS), count(DOSSIERS) * STEPS_EACH)
}

/// Plays a share of the month as fast as it goes.
pub async fn measure(options: &Options, scale: f64) -> Result<MonthReport, Error> {
    let conditions = Conditions::of(options)?;
    let site = Site::build(&options.data, Roll::country(organs()), options.load.window, 0)?;
    let site = site.read_by(organs() - 1)?;
    let set_up = options.set_ups[0];
    let deployment = Deployment::start(&site, "month", set_up, Servers::of(options)).await?;
    let played = play(options, scale, &site, &deployment).await;
    // What went wrong before is the better thing to tell.
    let removed = deployment.remove().await;
    let played = played?;
    removed.map(|()| MonthReport::of(conditions, set_up, scale, &played))
}

async fn play(
    options: &Options,
    scale: f64,
    site: &Site,
    deployment: &Deployment<'_>,
) -> Result<Played, Error> {
    let (documents, steps) = amounts(scale);
    let (documents, steps) = (Amount::Documents(documents), Amount::Documents(steps));
    let cast = Cast { load: &options.load, organs: &site.roll.organs };
    let load =
        Load { organs: organs() - 1, size: STEP_BYTES, window: STEPS_WINDOW, clients: 1, ..options.load };
    let crew = Crew::new(&load, OPEN, &site.roll.organs);
    let plans = cast.exchange_plans(&deployment.door, Sizes::National);
    let crew_plans = crew.live_plans(&deployment.door);
    let mut writers = Clients::start(&plans).await?.patient(SILENCE_MAX);
    let mut desks = Clients::start(&crew_plans).await?.patient(SILENCE_MAX);
    let before = Taken::now(&deployment.nodes)?;
    let started = Instant::now();
    let (write, publish) = (Meter::new("documents", documents), Meter::new("steps of dossiers", steps));
    try_join!(writers.run(documents, None, &write), desks.run(steps, None, &publish))?;
    let took = started.elapsed();
    let after = Taken::now(&deployment.nodes)?;
    let documents = round::concluded(&plans, Promise::Receipted, &writers.finish().await?);
    let steps = round::concluded(&crew_plans, Promise::Received, &desks.finish().await?);
    Ok(Played {
        bytes: bytes(&plans, &documents),
        documents: documents.with(&before, &after),
        steps,
        took,
        times: MONTH.as_secs_f64() * scale / took.as_secs_f64(),
    })
}

/// Payload bytes of all documents that were sent.
fn bytes(plans: &[Plan], round: &Round) -> u64 {
    let Some(plan) = plans.first() else { return 0 };
    let each = |sender| super::documents::share(round.documents, sender, plan.senders);
    let of = |sender| (0..each(sender)).map(move |ordinal| plan.documents.size_of(sender, ordinal) as u64);
    (0..plan.senders).flat_map(of).sum()
}
