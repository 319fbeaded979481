//! A whole country's mailboxes served at once: how long the gateway takes to start, how much memory it needs, how fast it is.

use super::backing::Servers;
use super::deployment::Deployment;
use super::error::Error;
use super::gateway::Site;
use super::options::{Load, Options};
use super::report::{Conditions, MailboxesReport, Serving};
use super::roll::Roll;
use super::round::Cast;
use super::set_up::SetUp;

/// Measures a gateway for which nothing is there yet, and the same one started again.
pub async fn measure(options: &Options, mailboxes: usize) -> Result<MailboxesReport, Error> {
    let set_up = options.set_ups.first().copied().unwrap_or(SetUp::Standalone);
    let roll = Roll::country(mailboxes);
    let load =
        Load { organs: roll.certified, clients: options.load.clients.min(roll.certified), ..options.load };
    let options = Options { load, ..options.clone() };
    let conditions = Conditions::of(&options)?;
    let site = Site::build(&options.data, roll, load.window, 0)?;
    let mut deployment = Deployment::start(&site, "country", set_up, Servers::of(&options)).await?;
    let served = both(&site, &options, &mut deployment).await;
    let removed = deployment.remove().await;
    let (first, again) = served?;
    removed?;
    let verdict = first.verdict.clone().and(&again.verdict);
    Ok(MailboxesReport {
        conditions,
        set_up,
        mailboxes,
        connections: site.roll.certified,
        first,
        again,
        verdict,
    })
}

async fn both(
    site: &Site,
    options: &Options,
    deployment: &mut Deployment<'_>,
) -> Result<(Serving, Serving), Error> {
    let first = serve(site, options, deployment, "new").await?;
    deployment.restart().await?;
    Ok((first, serve(site, options, deployment, "restarted").await?))
}

async fn serve(
    site: &Site,
    options: &Options,
    deployment: &Deployment<'_>,
    what: &str,
) -> Result<Serving, Error> {
    let cast = Cast { load: &options.load, organs: &site.roll.organs };
    let (opening, round) = cast.on_behalf(&deployment.door, &deployment.nodes, what).await?;
    Ok(Serving::of(deployment.ready_in, &opening, &round))
}
