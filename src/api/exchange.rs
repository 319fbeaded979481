//! `DocumentExchangeService`: each call finds out who calls, hands over, and answers.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};

use super::caller::Caller;
use super::{Api, collect, receipts};
use crate::domain::refusal::Refusal;
use crate::proto::v1::{self, document_exchange_service_server::DocumentExchangeService};

/// The service over the handlers.
#[derive(Clone)]
pub struct Exchange(pub Arc<Api>);

impl Exchange {
    fn answer<T>(&self, result: Result<T, Refusal>) -> Result<Response<T>, Status> {
        result.map(Response::new).map_err(|refusal| self.0.refuse(&refusal))
    }

    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        Caller::of(request).map_err(|refusal| self.0.refuse(&refusal))
    }
}

#[tonic::async_trait]
impl DocumentExchangeService for Exchange {
    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let caller = Caller::of(&request).and_then(Caller::organ).map_err(|r| self.0.refuse(&r))?;
        // Refusals of submissions are counted where they are made.
        let accepted = self.0.submit(caller, request.into_inner().submission).await;
        let accepted = accepted.map_err(|refusal| crate::proto::convert::status(&refusal))?;
        Ok(Response::new(v1::SubmitResponse { acceptance: Some(accepted) }))
    }

    type SubmitStreamStream = BoxStream<'static, Result<v1::SubmitStreamResponse, Status>>;

    async fn submit_stream(
        &self,
        request: Request<Streaming<v1::SubmitStreamRequest>>,
    ) -> Result<Response<Self::SubmitStreamStream>, Status> {
        let caller = Caller::of(&request).and_then(Caller::organ).map_err(|r| self.0.refuse(&r))?;
        let open = self.0.streams.open(&caller).map_err(|r| self.0.refuse(&r))?;
        Ok(Response::new(Arc::clone(&self.0).submit_stream(caller, request.into_inner(), open)))
    }

    type CollectStream = collect::Responses;

    async fn collect(
        &self,
        request: Request<Streaming<v1::CollectRequest>>,
    ) -> Result<Response<Self::CollectStream>, Status> {
        let caller = self.caller(&request)?;
        Ok(Response::new(Arc::clone(&self.0).collect(caller, request.into_inner())))
    }

    async fn fetch(&self, request: Request<v1::FetchRequest>) -> Result<Response<v1::FetchResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.0.fetch(caller, request.into_inner()).await)
    }

    async fn settle(
        &self,
        request: Request<v1::SettleRequest>,
    ) -> Result<Response<v1::SettleResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.0.settle(caller, request.into_inner()).await)
    }

    async fn report_status(
        &self,
        request: Request<v1::ReportStatusRequest>,
    ) -> Result<Response<v1::ReportStatusResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.0.report_status(caller, request.into_inner()).await)
    }

    async fn recall(
        &self,
        request: Request<v1::RecallRequest>,
    ) -> Result<Response<v1::RecallResponse>, Status> {
        let caller = Caller::of(&request).and_then(Caller::organ).map_err(|r| self.0.refuse(&r))?;
        // Refusals of recalls are counted where submissions are made.
        let accepted = self.0.recall(caller, request.into_inner()).await;
        let accepted = accepted.map_err(|refusal| crate::proto::convert::status(&refusal))?;
        Ok(Response::new(v1::RecallResponse { acceptance: Some(accepted) }))
    }

    async fn get_status_file(
        &self,
        request: Request<v1::GetStatusFileRequest>,
    ) -> Result<Response<v1::GetStatusFileResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.0.status_file(caller, request.into_inner()).await)
    }

    async fn track(&self, request: Request<v1::TrackRequest>) -> Result<Response<v1::TrackResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.0.track(caller, request.into_inner()).await)
    }

    type WatchReceiptsStream = receipts::Responses;

    async fn watch_receipts(
        &self,
        request: Request<v1::WatchReceiptsRequest>,
    ) -> Result<Response<Self::WatchReceiptsStream>, Status> {
        let caller = self.caller(&request)?;
        self.answer(Arc::clone(&self.0).watch_receipts(caller, request.into_inner()).await)
    }

    async fn list_sent(
        &self,
        request: Request<v1::ListSentRequest>,
    ) -> Result<Response<v1::ListSentResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.0.list_sent(caller, request.into_inner()).await)
    }

    async fn list_overdue(
        &self,
        request: Request<v1::ListOverdueRequest>,
    ) -> Result<Response<v1::ListOverdueResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.0.list_overdue(caller, request.into_inner()).await)
    }

    async fn list_duty_figures(
        &self,
        request: Request<v1::ListDutyFiguresRequest>,
    ) -> Result<Response<v1::ListDutyFiguresResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.0.list_duty_figures(caller, request.into_inner()).await)
    }

    async fn list_received(
        &self,
        request: Request<v1::ListReceivedRequest>,
    ) -> Result<Response<v1::ListReceivedResponse>, Status> {
        let caller = self.caller(&request)?;
        self.answer(self.0.list_received(caller, request.into_inner()).await)
    }
}
