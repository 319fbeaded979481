//! The exchange itself: one document, two recipients, all receipts; over mutual TLS on loopback, as agencies do it.

use std::path::Path;
use std::time::Duration;

use super::place::{DOCUMENT, Place, SampleAgency};
use super::show::Story;
use super::tale::Line;
use super::verdict;
use crate::cli::exit::Exit;
use crate::cli::files;
use crate::client::Agency;
use crate::domain::message::Hash;
use crate::proto::v1::{self, settlement::Outcome, submission::Content};

/// Longer than any of this takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// What a recipient got.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The organ.
    pub organ: String,
    /// The delivery.
    pub delivery_id: String,
    /// SHA-256 of what arrived.
    pub hash: Hash,
    /// Its length.
    pub bytes: usize,
}

/// Performs it and shows it; gives what was not as it should be.
pub async fn perform(
    agencies: &[SampleAgency],
    place: &Place,
    story: &mut Story,
) -> Result<Vec<String>, Exit> {
    let [sender, recipients @ .., _operator] = agencies else {
        return Err(Exit::Failed("there are no sample agencies".to_owned()));
    };
    let bounded = tokio::time::timeout(TIMEOUT, async {
        let office = connect(sender).await?;
        let sent = Hash::of(DOCUMENT.as_bytes());
        story.tell(Line::Sending { sender, bytes: DOCUMENT.len(), hash: sent })?;
        let acceptance = office.submit(submission(sent)).await.map_err(Exit::failed)?;
        story.accepted(&acceptance)?;
        let message_id = acceptance.receipt.clone().unwrap_or_default().message_id;

        story.tell(Line::Collecting { recipients })?;
        let waits =
            recipients.iter().map(|agency| collect(agency, &message_id, place.received(&agency.name)));
        let collected = futures_util::future::try_join_all(waits).await?;
        for one in &collected {
            story.collected(one, one.hash == sent)?;
        }
        let receipts = receipts(&office, &acceptance).await?;
        let titles: Vec<_> =
            agencies.iter().map(|agency| (agency.name.as_str(), agency.title.as_str())).collect();
        story.timeline(&acceptance, &receipts, &titles)?;
        let tracked = office.track(v1::TrackRequest { sender: String::new(), message_id }).await;
        let tracked = tracked.map_err(Exit::failed)?;
        let flaws = verdict::flaws(&acceptance, &receipts, &tracked, &collected, sent);
        story.verdict(&flaws, &receipts)?;
        Ok(flaws)
    });
    bounded
        .await
        .unwrap_or_else(|_| Err(Exit::Failed(format!("the exchange took more than {} s", TIMEOUT.as_secs()))))
}

async fn connect(agency: &SampleAgency) -> Result<Agency, Exit> {
    Agency::connect(&agency.profile).await.map_err(Exit::failed)
}

/// A message id of its own for each run: the same one again would be the same message again.
fn submission(hash: Hash) -> v1::Submission {
    let file = DOCUMENT.as_bytes().into();
    v1::Submission {
        message_id: format!("sandbox-{}", uuid::Uuid::now_v7()),
        sender: String::new(),
        content: Some(Content::Edxml(v1::EdxmlDocument { file })),
        expire_time: None,
        change: None,
        payload_sha256: hash.as_bytes().to_vec().into(),
    }
}

/// Collects everything that waits for an agency, up to this message.
async fn collect(
    agency: &SampleAgency,
    message_id: &str,
    folder: impl AsRef<Path>,
) -> Result<Collected, Exit> {
    let folder = folder.as_ref();
    std::fs::create_dir_all(folder).map_err(Exit::failed)?;
    let office = connect(agency).await?;
    let mut collector = office.collect(v1::CollectOpen::default()).await.map_err(Exit::failed)?;
    let mut found: Option<Collected> = None;
    loop {
        let response = collector.next().await.map_err(Exit::failed)?;
        let mut settlements = Vec::with_capacity(response.deliveries.len());
        for delivery in response.deliveries {
            keep(&delivery, folder)?;
            if delivery.envelope.as_ref().is_some_and(|envelope| envelope.message_id == message_id) {
                found = Some(Collected {
                    organ: agency.name.clone(),
                    delivery_id: delivery.delivery_id.clone(),
                    hash: Hash::of(&delivery.payload),
                    bytes: delivery.payload.len(),
                });
            }
            settlements.push(v1::Settlement {
                delivery_id: delivery.delivery_id,
                lease: delivery.lease,
                outcome: Some(Outcome::Delivered(v1::Delivered {})),
            });
        }
        if !settlements.is_empty() {
            collector.settle(settlements).await;
        }
        let its = |result: &&v1::SettleResult| {
            found.as_ref().is_some_and(|one| one.delivery_id == result.delivery_id)
        };
        match (response.settled.iter().find(its), &found) {
            (Some(v1::SettleResult { refusal: Some(refusal), .. }), _) => {
                return Err(Exit::failed(crate::client::CallError::from(refusal)));
            }
            (Some(_), Some(found)) => return Ok(found.clone()),
            (Some(_), None) | (None, _) => {}
        }
    }
}

fn keep(delivery: &v1::Delivery, folder: &Path) -> Result<(), Exit> {
    let file = folder.join(format!("{}.edxml", delivery.delivery_id));
    files::replace(&file, &delivery.payload)
        .map_err(|error| Exit::Failed(format!("{}: {error}", file.display())))
}

/// The receipts of the message, from the sender's stream, until each delivery has its last.
async fn receipts(office: &Agency, acceptance: &v1::Acceptance) -> Result<Vec<v1::Receipt>, Exit> {
    let message_id = acceptance.receipt.clone().unwrap_or_default().message_id;
    let mut pages = office.watch_receipts(v1::WatchReceiptsRequest::default()).await.map_err(Exit::failed)?;
    let mut received = Vec::new();
    while !verdict::is_complete(acceptance, &received) {
        let Some(page) = pages.next().await.map_err(Exit::failed)? else {
            return Err(Exit::Failed("the gateway ended the stream of receipts".to_owned()));
        };
        received.extend(page.receipts.into_iter().filter(|receipt| receipt.message_id == message_id));
    }
    Ok(received)
}
