//! An organ's consumers: how far each is, and forgetting those that are not used any more.

use prost::Message;

use super::Dossiers;
use super::wanted;
use crate::api::caller::{Caller, Speaker};
use crate::domain::refusal::{Reason, Refusal};
use crate::dossiers::{Follower, Lag, Place};
use crate::intake::ledger_failed;
use crate::proto::{convert, v1};

impl Dossiers {
    /// How far an organ's consumers are.
    pub async fn consumers(
        &self,
        caller: Caller,
        request: v1::ListConsumersRequest,
    ) -> Result<v1::ListConsumersResponse, Refusal> {
        let Speaker { organ, .. } = self.api.speaker(caller, &request.organ, "organ")?;
        let log = self.parts.tail.log();
        let failed = |error| ledger_failed(&error);
        let (known, head) = (log.followers().await.map_err(failed)?, log.head().await.map_err(failed)?);
        let mut consumers = Vec::new();
        for Follower { place, filter } in
            known.into_iter().filter(|known| known.place.consumer.organ == organ)
        {
            let lag = Lag::of(log.as_ref(), head, place.position).await.map_err(failed)?;
            consumers.push(v1::ConsumerProgress {
                consumer: Some(share(&place)),
                position: place.position,
                behind: lag.events,
                behind_since_time: lag.since.map(convert::timestamp),
                filter: v1::DossierFilter::decode(filter).ok(),
            });
        }
        Ok(v1::ListConsumersResponse { consumers })
    }

    /// Forgets a consumer.
    pub async fn forget_consumer(
        &self,
        caller: Caller,
        request: v1::DeleteConsumerRequest,
    ) -> Result<v1::DeleteConsumerResponse, Refusal> {
        let Speaker { organ, .. } = self.api.speaker(caller, &request.organ, "organ")?;
        let consumer = wanted::consumer_name(&organ, request.consumer, "consumer")?;
        let failed = |error| ledger_failed(&error);
        let was_there =
            self.parts.tail.log().dismiss(consumer).await.map_err(failed)?.await.map_err(failed)?;
        match was_there {
            true => Ok(v1::DeleteConsumerResponse {}),
            false => Err(Refusal::new(Reason::ConsumerNotFound, "the organ has no consumer of this name")
                .field("consumer")
                .hint("ListConsumers names those there are")),
        }
    }
}

fn share(place: &Place) -> v1::ConsumerShare {
    v1::ConsumerShare {
        consumer: place.consumer.name.clone(),
        share: place.share.index,
        shares: place.share.of,
    }
}
