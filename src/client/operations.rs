//! What operators look at and decide.

use super::{Agency, CALL_TIMEOUT, CallError, timed};
use crate::proto::v1;

impl Agency {
    /// A page of dead letters.
    pub async fn dead_letters(
        &self,
        request: v1::ListDeadLettersRequest,
    ) -> Result<v1::ListDeadLettersResponse, CallError> {
        let list =
            async || self.operations.clone().list_dead_letters(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(list).await
    }

    /// One dead letter and its story.
    pub async fn dead_letter(&self, delivery_id: &str) -> Result<v1::GetDeadLetterResponse, CallError> {
        let get = async || {
            let request = v1::GetDeadLetterRequest { delivery_id: delivery_id.to_owned() };
            self.operations.clone().get_dead_letter(timed(request, CALL_TIMEOUT)).await
        };
        self.patience.call(get).await
    }

    /// Sends dead deliveries on their way again. Never tried again by itself: what was replayed and is dead anew would be too.
    pub async fn replay(
        &self,
        request: v1::ReplayDeadLettersRequest,
    ) -> Result<v1::ReplayDeadLettersResponse, CallError> {
        let answer = self.operations.clone().replay_dead_letters(timed(request, CALL_TIMEOUT)).await;
        Ok(answer.map_err(CallError::from)?.into_inner())
    }

    /// Gives dead deliveries up. Never tried again by itself, so that the answer tells what this call did.
    pub async fn discard(
        &self,
        request: v1::DiscardDeadLettersRequest,
    ) -> Result<v1::DiscardDeadLettersResponse, CallError> {
        let answer = self.operations.clone().discard_dead_letters(timed(request, CALL_TIMEOUT)).await;
        Ok(answer.map_err(CallError::from)?.into_inner())
    }

    /// Sets a hold. Tried again, which is safe.
    pub async fn set_hold(&self, request: v1::SetHoldRequest) -> Result<v1::Hold, CallError> {
        let set = async || self.operations.clone().set_hold(timed(request.clone(), CALL_TIMEOUT)).await;
        let answer = self.patience.call(set).await?;
        answer.hold.ok_or_else(|| CallError::unexpected("an answer without a hold"))
    }

    /// Releases a hold. Tried again, which is safe.
    pub async fn release_hold(&self, request: v1::ReleaseHoldRequest) -> Result<v1::Hold, CallError> {
        let release =
            async || self.operations.clone().release_hold(timed(request.clone(), CALL_TIMEOUT)).await;
        let answer = self.patience.call(release).await?;
        answer.hold.ok_or_else(|| CallError::unexpected("an answer without a hold"))
    }

    /// A page of holds.
    pub async fn holds(&self, request: v1::ListHoldsRequest) -> Result<v1::ListHoldsResponse, CallError> {
        let list = async || self.operations.clone().list_holds(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(list).await
    }
}
