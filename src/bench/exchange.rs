//! Throughput and latency of organs that write to each other, in each set-up, in turn with the baseline.

use super::backing::Servers;
use super::deployment::Deployment;
use super::error::Error;
use super::gateway::Site;
use super::options::{Load, Options};
use super::plan::Door;
use super::report::{Conditions, ExchangeReport, Figures};
use super::roll::Roll;
use super::round::{Cast, Round};
use super::set_up::SetUp;
use crate::domain::organ_id::OrganId;
use crate::identity::{self, Role};

/// Measures each set-up and the baseline, and again, ... so that what else the machine does falls on all.
pub async fn measure(options: &Options) -> Result<ExchangeReport, Error> {
    let conditions = Conditions::of(options)?;
    let (measured, baseline) = match &options.given {
        Some(door) => given(options, door).await?,
        None => own(options).await?,
    };
    Ok(ExchangeReport::of(conditions, measured, &baseline))
}

/// The gateway that was given.
async fn given(options: &Options, door: &Door) -> Result<(Vec<Figures>, Vec<Round>), Error> {
    let organs = organs_of(door, options.load.organs)?;
    let cast = Cast { load: &options.load, organs: &organs };
    let (mut rounds, mut baseline) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds {
        rounds.push(cast.exchange(door, &[], &format!("{number}. gateway")).await?);
        baseline.extend(baseline_round(&cast, options, number).await?);
    }
    Ok((vec![Figures::of_given(&rounds)], baseline))
}

/// Gateways of our own, each on an empty ledger.
async fn own(options: &Options) -> Result<(Vec<Figures>, Vec<Round>), Error> {
    let Load { organs, window, .. } = options.load;
    let site = Site::build(&options.data, Roll::flat(organs), window, 0)?;
    let cast = Cast { load: &options.load, organs: &site.roll.organs };
    let mut rounds = vec![Vec::new(); options.set_ups.len()];
    let mut baseline = Vec::new();
    for number in 1..=options.rounds {
        for (place, set_up) in options.set_ups.iter().enumerate() {
            let name = format!("round-{number}-{}", place + 1);
            let deployment = Deployment::start(&site, &name, *set_up, Servers::of(options)).await?;
            let what = format!("{number}. {}", set_up.name());
            let measured = cast.exchange(&deployment.door, &deployment.nodes, &what).await;
            // What went wrong before is the better thing to tell.
            let removed = deployment.remove().await;
            rounds[place].push(measured?);
            removed?;
        }
        baseline.extend(baseline_round(&cast, options, number).await?);
    }
    let figures = |(set_up, rounds): (&SetUp, &Vec<Round>)| Figures::of(*set_up, rounds);
    Ok((options.set_ups.iter().zip(&rounds).map(figures).collect(), baseline))
}

async fn baseline_round(cast: &Cast<'_>, options: &Options, number: usize) -> Result<Option<Round>, Error> {
    match &options.rabbitmq {
        Some(url) => cast.baseline(url, &format!("{number}. RabbitMQ")).await.map(Some),
        None => Ok(None),
    }
}

/// The organs whose certificates are in the folder of a CA, as many as are wanted.
fn organs_of(door: &Door, wanted: usize) -> Result<Vec<String>, Error> {
    let listed = std::fs::read_dir(&door.pki).map_err(Error::system(door.pki.display()))?;
    let mut organs: Vec<OrganId> = listed
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "crt"))
        .filter_map(|path| match identity::inspect(&path).ok()?.role {
            Role::Organ(organ) => {
                Some(organ).filter(|organ| path.file_stem() == Some(organ.as_str().as_ref()))
            }
            Role::Operator(_) | Role::None => None,
        })
        .collect();
    organs.sort();
    if organs.len() < wanted {
        let (found, folder) = (organs.len(), door.pki.display());
        let what =
            format!("{folder} holds certificates of {found} organs (ID.crt and ID.key), not of {wanted}");
        return Err(Error::Impossible(what));
    }
    Ok(organs.iter().take(wanted).map(OrganId::to_string).collect())
}
