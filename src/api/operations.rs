//! `OperationsService`: what operators look at and decide.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::Api;
use super::caller::Caller;
use crate::domain::refusal::Refusal;
use crate::proto::v1::{self, operations_service_server::OperationsService};

mod dead;
mod holds;

/// The service over the handlers.
#[derive(Clone)]
pub struct Operations(pub Arc<Api>);

impl Operations {
    /// The operator who calls, and what is asked.
    fn operator<T>(&self, request: Request<T>) -> Result<(String, T), Status> {
        let operator = Caller::of(&request).and_then(Caller::operator);
        Ok((operator.map_err(|refusal| self.0.refuse(&refusal))?, request.into_inner()))
    }

    fn answer<T>(&self, result: Result<T, Refusal>) -> Result<Response<T>, Status> {
        result.map(Response::new).map_err(|refusal| self.0.refuse(&refusal))
    }
}

#[tonic::async_trait]
impl OperationsService for Operations {
    async fn list_dead_letters(
        &self,
        request: Request<v1::ListDeadLettersRequest>,
    ) -> Result<Response<v1::ListDeadLettersResponse>, Status> {
        let (_, request) = self.operator(request)?;
        self.answer(self.0.dead_letters(request).await)
    }

    async fn get_dead_letter(
        &self,
        request: Request<v1::GetDeadLetterRequest>,
    ) -> Result<Response<v1::GetDeadLetterResponse>, Status> {
        let (_, request) = self.operator(request)?;
        self.answer(self.0.dead_letter(request).await)
    }

    async fn replay_dead_letters(
        &self,
        request: Request<v1::ReplayDeadLettersRequest>,
    ) -> Result<Response<v1::ReplayDeadLettersResponse>, Status> {
        let (operator, request) = self.operator(request)?;
        self.answer(self.0.replay(operator, request).await)
    }

    async fn discard_dead_letters(
        &self,
        request: Request<v1::DiscardDeadLettersRequest>,
    ) -> Result<Response<v1::DiscardDeadLettersResponse>, Status> {
        let (operator, request) = self.operator(request)?;
        self.answer(self.0.discard(operator, request).await)
    }

    async fn set_hold(
        &self,
        request: Request<v1::SetHoldRequest>,
    ) -> Result<Response<v1::SetHoldResponse>, Status> {
        let (operator, request) = self.operator(request)?;
        self.answer(self.0.set_hold(operator, request).await)
    }

    async fn release_hold(
        &self,
        request: Request<v1::ReleaseHoldRequest>,
    ) -> Result<Response<v1::ReleaseHoldResponse>, Status> {
        let (operator, request) = self.operator(request)?;
        self.answer(self.0.release_hold(operator, request).await)
    }

    async fn list_holds(
        &self,
        request: Request<v1::ListHoldsRequest>,
    ) -> Result<Response<v1::ListHoldsResponse>, Status> {
        let (_, request) = self.operator(request)?;
        self.answer(self.0.holds(request).await)
    }
}
