//! Recalling a document: a submission by another name.

use super::Api;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::Refusal;
use crate::proto::v1;

impl Api {
    /// Takes a document back.
    pub async fn recall(
        &self,
        caller: OrganId,
        request: v1::RecallRequest,
    ) -> Result<v1::Acceptance, Refusal> {
        let v1::RecallRequest { sender, message_id, target, reason } = request;
        let recall = v1::Recall { targets: Vec::from_iter(target), reason };
        let submission = v1::Submission {
            message_id,
            sender,
            content: Some(v1::submission::Content::Recall(recall)),
            ..Default::default()
        };
        self.submit(caller, Some(submission)).await.map_err(renamed)
    }
}

/// The field at fault as it is called in the request.
fn renamed(refusal: Refusal) -> Refusal {
    let field = refusal.field_path();
    let field = field.strip_prefix("submission.").unwrap_or(field);
    let field = field.strip_prefix("recall.").unwrap_or(field);
    let field = match field.strip_prefix("targets") {
        Some(rest) => format!("target{}", rest.strip_prefix("[0]").unwrap_or(rest)),
        None => field.to_owned(),
    };
    refusal.field(field)
}
