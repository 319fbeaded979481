//! Mending: each side is given what it lacks. Where contents differ, nobody knows which is right, and nothing is changed.

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::copy::Copy;
use crate::cli::exit::Exit;
use crate::client::{Agency, CallError, Comparison, Difference};
use crate::domain::limits::{DOSSIER_STEPS_BATCH_MAX, LIST_PAGE_MAX};
use crate::proto::v1;

/// Dossiers fetched at a time.
const FETCHES_MAX: usize = 16;

/// What was mended.
#[derive(Debug, Default)]
pub struct Mended {
    /// Steps the gateway has been given.
    pub published: u64,
    /// Steps the file has been given.
    pub fetched: u64,
    /// What the gateway did not take.
    pub refused: Vec<v1::PublishResult>,
}

/// Publishes what the gateway lacks, as `organ`, and adds to the file what it lacks.
pub async fn mend(
    agency: &Agency,
    organ: &str,
    copy: &mut Copy,
    comparison: &Comparison,
) -> Result<Mended, Exit> {
    let mut mended = Mended::default();
    let differences = &comparison.differences;
    let lacking: Vec<(&str, u32)> = differences
        .iter()
        .flat_map(|one| one.missing_there.iter().map(|number| (one.dossier.as_str(), *number)))
        .collect();
    for batch in lacking.chunks(DOSSIER_STEPS_BATCH_MAX) {
        let steps = batch.iter().map(|(code, number)| copy.step(code, *number)).collect::<Result<_, _>>()?;
        let request = v1::PublishRequest { organ: organ.to_owned(), steps };
        let results = agency.publish_steps(request).await.map_err(Exit::failed)?;
        let (refused, taken): (Vec<_>, Vec<_>) =
            results.into_iter().partition(|result| result.refusal.is_some());
        mended.published += taken.len() as u64;
        mended.refused.extend(refused);
    }
    let wanted = differences.iter().filter(|one| !one.missing_here.is_empty());
    let fetched = stream::iter(wanted.map(|one| fetch(agency, organ, one))).buffered(FETCHES_MAX);
    let events: Vec<_> = fetched.try_collect::<Vec<_>>().await.map_err(Exit::failed)?.concat();
    if !events.is_empty() {
        copy.add(&events)?;
        mended.fetched = events.len() as u64;
    }
    Ok(mended)
}

/// The steps of a dossier that only the gateway has.
async fn fetch(
    agency: &Agency,
    organ: &str,
    difference: &Difference,
) -> Result<Vec<v1::DossierEvent>, CallError> {
    let mut request = v1::ListDossierEventsRequest {
        organ: organ.to_owned(),
        dossier_code: difference.dossier.clone(),
        after_step: 0,
        page_size: LIST_PAGE_MAX,
    };
    let mut events = Vec::new();
    loop {
        let page = agency.dossier_events(request.clone()).await?;
        let wanted = page.events.into_iter().filter(|event| {
            event.step.as_ref().is_some_and(|step| difference.missing_here.contains(&step.step))
        });
        events.extend(wanted);
        if page.next_after_step == 0 {
            return Ok(events);
        }
        request.after_step = page.next_after_step;
    }
}
