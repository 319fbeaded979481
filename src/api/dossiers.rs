//! `DossierEventsService`: publishing steps of dossiers, following the log, looking at dossiers.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::Api;
use super::caller::Caller;
use crate::domain::refusal::Refusal;
use crate::dossiers::{Comparisons, Tail};
use crate::intake::sight::Grant;
use crate::proto::v1::{self, dossier_events_service_server::DossierEventsService};
use crate::submission::StepDesk;

mod compare;
mod consumers;
mod follow;
mod look;
mod publish;
mod shares;
mod wanted;

use shares::Shares;

/// What the handlers of dossiers work with.
pub struct DossierParts {
    /// The log, and its end in memory.
    pub tail: Arc<Tail>,
    /// Where steps come in.
    pub desk: Arc<StepDesk>,
    /// Who may follow what beside its own.
    pub grants: Arc<[Grant]>,
}

/// The service over the handlers.
#[derive(Clone)]
pub struct Dossiers {
    api: Arc<Api>,
    parts: Arc<DossierParts>,
    shares: Arc<Shares>,
    comparisons: Arc<Comparisons>,
}

impl Dossiers {
    /// The service of a gateway.
    pub fn new(api: Arc<Api>, parts: DossierParts) -> Self {
        let (log, metrics) = (Arc::clone(parts.tail.log()), Arc::clone(&api.dispatch.metrics));
        let comparisons = Comparisons::new(log, metrics);
        Self { api, parts: Arc::new(parts), shares: Arc::default(), comparisons }
    }

    fn answer<T>(&self, result: Result<T, Refusal>) -> Result<Response<T>, Status> {
        result.map(Response::new).map_err(|refusal| self.api.refuse(&refusal))
    }

    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        Caller::of(request).map_err(|refusal| self.api.refuse(&refusal))
    }
}

#[tonic::async_trait]
impl DossierEventsService for Dossiers {
    async fn publish(
        &self,
        request: Request<v1::PublishRequest>,
    ) -> Result<Response<v1::PublishResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.publish_steps(caller, request.into_inner()).await)
    }

    type PublishStreamStream = BoxStream<'static, Result<v1::PublishStreamResponse, Status>>;

    async fn publish_stream(
        &self,
        request: Request<Streaming<v1::PublishStreamRequest>>,
    ) -> Result<Response<Self::PublishStreamStream>, Status> {
        let caller = Caller::of(&request).and_then(Caller::organ).map_err(|r| self.api.refuse(&r))?;
        let open = self.api.streams.open(&caller).map_err(|r| self.api.refuse(&r))?;
        Ok(Response::new(self.publish_on_stream(caller, request.into_inner(), open)))
    }

    type SubscribeStream = BoxStream<'static, Result<v1::SubscribeResponse, Status>>;

    async fn subscribe(
        &self,
        request: Request<v1::SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.follow(caller, request.into_inner()).await)
    }

    async fn commit_cursor(
        &self,
        request: Request<v1::CommitCursorRequest>,
    ) -> Result<Response<v1::CommitCursorResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.advance(caller, request.into_inner()).await)
    }

    async fn list_consumers(
        &self,
        request: Request<v1::ListConsumersRequest>,
    ) -> Result<Response<v1::ListConsumersResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.consumers(caller, request.into_inner()).await)
    }

    async fn delete_consumer(
        &self,
        request: Request<v1::DeleteConsumerRequest>,
    ) -> Result<Response<v1::DeleteConsumerResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.forget_consumer(caller, request.into_inner()).await)
    }

    async fn get_dossier(
        &self,
        request: Request<v1::GetDossierRequest>,
    ) -> Result<Response<v1::GetDossierResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.dossier(caller, request.into_inner()).await)
    }

    async fn list_dossier_events(
        &self,
        request: Request<v1::ListDossierEventsRequest>,
    ) -> Result<Response<v1::ListDossierEventsResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.dossier_events(caller, request.into_inner()).await)
    }

    async fn list_dossiers(
        &self,
        request: Request<v1::ListDossiersRequest>,
    ) -> Result<Response<v1::ListDossiersResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.list(caller, request.into_inner()).await)
    }

    async fn compare(
        &self,
        request: Request<v1::CompareRequest>,
    ) -> Result<Response<v1::CompareResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.compare_dossiers(caller, request.into_inner()).await)
    }
}
