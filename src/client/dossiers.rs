//! Calls about dossiers.

use tonic::Streaming;

use super::{Agency, CALL_TIMEOUT, CallError, timed};
use crate::proto::v1;

/// The events of a subscription, page by page.
#[derive(Debug)]
pub struct DossierEvents(pub(super) Streaming<v1::SubscribeResponse>);

impl DossierEvents {
    /// The next page; none at the end.
    pub async fn next(&mut self) -> Result<Option<v1::SubscribeResponse>, CallError> {
        self.0.message().await.map_err(CallError::from)
    }
}

impl Agency {
    /// Publishes steps of dossiers; one result for each, in order. Tried again, which is safe.
    pub async fn publish_steps(
        &self,
        request: v1::PublishRequest,
    ) -> Result<Vec<v1::PublishResult>, CallError> {
        let publish = async || self.dossiers.clone().publish(timed(request.clone(), CALL_TIMEOUT)).await;
        Ok(self.patience.call(publish).await?.results)
    }

    /// Follows the log of dossiers.
    pub async fn follow_dossiers(&self, request: v1::SubscribeRequest) -> Result<DossierEvents, CallError> {
        let subscribe = async || self.dossiers.clone().subscribe(request.clone()).await;
        Ok(DossierEvents(self.patience.call(subscribe).await?))
    }

    /// Says how far a consumer is.
    pub async fn commit_cursor(&self, request: v1::CommitCursorRequest) -> Result<(), CallError> {
        let commit = async || self.dossiers.clone().commit_cursor(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(commit).await.map(drop)
    }

    /// An organ's consumers, and how far each is.
    pub async fn list_consumers(
        &self,
        request: v1::ListConsumersRequest,
    ) -> Result<v1::ListConsumersResponse, CallError> {
        let list = async || self.dossiers.clone().list_consumers(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(list).await
    }

    /// Forgets a consumer.
    pub async fn delete_consumer(&self, request: v1::DeleteConsumerRequest) -> Result<(), CallError> {
        let delete =
            async || self.dossiers.clone().delete_consumer(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(delete).await.map(drop)
    }

    /// One dossier.
    pub async fn dossier(&self, request: v1::GetDossierRequest) -> Result<v1::GetDossierResponse, CallError> {
        let get = async || self.dossiers.clone().get_dossier(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(get).await
    }

    /// A page of the steps of one dossier.
    pub async fn dossier_events(
        &self,
        request: v1::ListDossierEventsRequest,
    ) -> Result<v1::ListDossierEventsResponse, CallError> {
        let list =
            async || self.dossiers.clone().list_dossier_events(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(list).await
    }

    /// A page of an organ's dossiers.
    pub async fn list_dossiers(
        &self,
        request: v1::ListDossiersRequest,
    ) -> Result<v1::ListDossiersResponse, CallError> {
        let list = async || self.dossiers.clone().list_dossiers(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(list).await
    }
}
