//! Throughput and latency of organs that write to each other, in turn with the baseline.

use super::error::Error;
use super::gateway::Site;
use super::options::{Load, Options};
use super::plan::Door;
use super::report::{ExchangeReport, Conditions};
use super::round::{Cast, Round};
use crate::domain::organ_id::OrganId;
use crate::identity::{self, Role};

/// Measures gateway, baseline, gateway, baseline, ... so that what else the machine does falls on both.
pub async fn measure(options: &Options) -> Result<ExchangeReport, Error> {
    let Load { organs, window, .. } = options.load;
    let conditions = Conditions::of(options)?;
    let site = match &options.given {
        Some(_) => None,
        None => Some(Site::build(&options.data, organs, window, 0)?),
    };
    let ids = match (&options.given, &site) {
        (Some(door), _) => organs_of(door, organs)?,
        (None, Some(site)) => site.organs.clone(),
        (None, None) => Vec::new(),
    };
    let cast = Cast { load: &options.load, organs: &ids };
    let (mut rounds, mut baseline) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds {
        rounds.push(gateway_round(&cast, options.given.as_ref(), site.as_ref(), number).await?);
        if let Some(url) = &options.baseline_amqp {
            baseline.push(cast.baseline(url, &format!("{number}. RabbitMQ")).await?);
        }
    }
    Ok(ExchangeReport::of(conditions, site.is_some(), &rounds, &baseline))
}

/// A round at the gateway that was given, or at a new one on an empty ledger.
async fn gateway_round(
    cast: &Cast<'_>,
    given: Option<&Door>,
    site: Option<&Site>,
    number: usize,
) -> Result<Round, Error> {
    let what = format!("{number}. gateway");
    match (given, site) {
        (None, Some(site)) => {
            let gateway = site.start(&format!("round-{number}")).await?;
            let round = cast.exchange(&gateway.door, Some(&gateway), &what).await?;
            gateway.stop().await?;
            Ok(round)
        }
        (Some(door), _) => cast.exchange(door, None, &what).await,
        (None, None) => Err(Error::Impossible("there is no gateway to measure".to_owned())),
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
