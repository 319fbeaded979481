//! What a step of the contract says, for who wants its fingerprint without a gateway.

use crate::domain::dossier::{
    Actor, DocumentLink, DossierCode, OwnCode, ParseDossierCodeError, ProcedureCode, Step, StepStatus,
};
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::time::Timestamp;
use crate::proto::{convert, v1};

/// Why a message is not a step that could have been published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAStep {
    /// Its code is none.
    #[error("dossier_code: {0}")]
    Dossier(#[from] ParseDossierCodeError),
    /// A field is missing or cannot be.
    #[error("{0}: missing, or not one")]
    Field(&'static str),
}

/// What a step says. An own code counts where there is one, whatever status it was translated to.
pub fn content(step: &v1::DossierStep) -> Result<Step, NotAStep> {
    let field = NotAStep::Field;
    let time = |time: &Option<prost_types::Timestamp>, name| match time {
        Some(time) => convert::time_of(time).map(Some).ok_or(field(name)),
        None => Ok::<Option<Timestamp>, NotAStep>(None),
    };
    let status = match &step.own_status {
        Some(own) => StepStatus::Unmapped(OwnCode { set: own.code_set.clone(), code: own.code.clone() }),
        None => StepStatus::Known(super::status_of(step.status).ok_or(field("status"))?),
    };
    let actor = step.actor.clone().unwrap_or_default();
    let documents = step.documents.iter().map(|link| {
        Some(DocumentLink {
            sender: OrganId::parse(&link.sender).ok()?,
            message_id: MessageId::parse(&link.message_id).ok()?,
        })
    });
    Ok(Step {
        dossier: DossierCode::parse(&step.dossier_code)?,
        procedure: ProcedureCode::parse(&step.procedure_code).map_err(|_| field("procedure_code"))?,
        number: Some(step.step).filter(|number| *number > 0).ok_or(field("step"))?,
        status,
        actor: Actor { name: actor.name, position: actor.position, department: actor.department },
        occurred_at: time(&step.occurred_time, "occurred_time")?.ok_or(field("occurred_time"))?,
        started_at: time(&step.start_time, "start_time")?,
        due_at: time(&step.due_time, "due_time")?,
        note: step.note.clone(),
        documents: documents.collect::<Option<_>>().ok_or(field("documents"))?,
    })
}
