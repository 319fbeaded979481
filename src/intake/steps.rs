//! Steps of dossiers as publishers write them, and who may publish them.

use bytes::Bytes;
use prost::Message;
use time::Date;

use super::codes::CodeMap;
use super::fields;
use crate::directory::{Ambiguity, Directory};
use crate::domain::dossier::{
    Actor, DocumentLink, DossierCode, Offer, ProcedureCode, Step, StepRefused, StepStatus,
};
use crate::domain::dossier::{DossierStatus, OwnCode};
use crate::domain::limits::{
    DOSSIER_ACTOR_CHARS_MAX, DOSSIER_DOCUMENTS_MAX, DOSSIER_NOTE_CHARS_MAX, OWN_CODE_CHARS_MAX,
};
use crate::domain::message::MessageId;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::time::Timestamp;
use crate::dossiers::NewStep;
use crate::proto::{convert, dossier, v1};

/// Whether an organ may speak for the owner of a dossier: it is that organ or acts for it, or the owner - or the organ above it that the
/// directory knows - is closed and this is who took over, or acts for who did.
pub fn stands_for(
    directory: &Directory,
    organ: &OrganId,
    owner: &OrganId,
    today: Date,
    rule: Ambiguity,
) -> bool {
    if directory.acts_for(organ, owner, today) {
        return true;
    }
    let known = directory.get(owner).or_else(|| owner.above().find_map(|above| directory.get(&above)));
    let closed = known.filter(|organ| organ.is_closed_on(today));
    let heir = closed.and_then(|closed| directory.resolve(&closed.id, today).destination(rule));
    heir.is_some_and(|heir| directory.acts_for(organ, &heir.id, today))
}

/// The code of a dossier.
pub fn code(text: &str, path: &str) -> Result<DossierCode, Refusal> {
    DossierCode::parse(text).map_err(|why| {
        Refusal::new(Reason::InvalidDossierCode, why.to_string())
            .field(path)
            .hint("a code such as 000.00.14.H20-200703-0002 or G09.20-20260609-0092637")
    })
}

/// The code of a procedure.
pub fn procedure(text: &str, path: &str) -> Result<ProcedureCode, Refusal> {
    ProcedureCode::parse(text).map_err(|why| {
        Refusal::new(Reason::InvalidField, why.to_string()).field(path).hint("a code such as 1.004194")
    })
}

/// A step as it is written, of a dossier whose code was read; `publisher` is whose codes are translated.
pub fn read(
    written: &v1::DossierStep,
    code: DossierCode,
    publisher: &OrganId,
    codes: &CodeMap,
) -> Result<Step, Refusal> {
    if written.procedure_code.trim().is_empty() {
        return Err(fields::missing("procedure_code"));
    }
    fields::bounded(&written.note, DOSSIER_NOTE_CHARS_MAX, "note")?;
    let time =
        |time: &Option<prost_types::Timestamp>, path| time.as_ref().map(|time| at(time, path)).transpose();
    Ok(Step {
        procedure: procedure(&written.procedure_code, "procedure_code")?,
        dossier: code,
        number: written.step,
        status: status(written, publisher, codes)?,
        actor: actor(written.actor.as_ref())?,
        occurred_at: time(&written.occurred_time, "occurred_time")?
            .ok_or_else(|| fields::missing("occurred_time"))?,
        started_at: time(&written.start_time, "start_time")?,
        due_at: time(&written.due_time, "due_time")?,
        note: written.note.clone(),
        documents: documents(&written.documents)?,
    })
}

/// The step as the log takes it: `written` with what was read of it put in.
pub fn new_step(step: &Step, written: v1::DossierStep, publisher: &OrganId, at: Timestamp) -> NewStep {
    let status = step.status.known().map_or(v1::DossierStatus::Unspecified, dossier::status);
    let event = v1::DossierEvent {
        dossier_code: step.dossier.to_string(),
        owner: step.dossier.owner().to_string(),
        publisher: publisher.to_string(),
        publish_time: Some(convert::timestamp(at)),
        step: Some(v1::DossierStep { status: status.into(), ..written }),
        ..Default::default()
    };
    NewStep {
        dossier: step.dossier.clone(),
        procedure: step.procedure.clone(),
        offer: Offer {
            number: step.number,
            status: step.status.known(),
            occurred_at: step.occurred_at,
            fingerprint: step.fingerprint(),
        },
        due_at: step.due_at,
        body: Bytes::from(event.encode_to_vec()),
        at,
    }
}

/// What a publisher is told of a step that is not possible.
pub fn refused(why: &StepRefused) -> Refusal {
    let (reason, number) = match why {
        StepRefused::Number(number) | StepRefused::TooFar { number, .. } => (Reason::StepTooFar, number),
        StepRefused::Conflict { number, .. } => (Reason::StepConflict, number),
        StepRefused::Ended { number, .. } => (Reason::DossierEnded, number),
        StepRefused::BackToStart { number, .. } | StepRefused::EndTooEarly { number, .. } => {
            (Reason::StepBackwards, number)
        }
    };
    let refusal = Refusal::new(reason, why.to_string()).field("step").fact("step", number);
    match why {
        StepRefused::Conflict { status, .. } => refusal
            .fact("standing", status.map_or(0, DossierStatus::number))
            .hint("give a new step the next number; GetDossier shows which there are"),
        StepRefused::Ended { end, .. } => refusal
            .fact("end", end)
            .hint("no step follows status 10; a matter taken up again is a new dossier"),
        StepRefused::BackToStart { .. } | StepRefused::EndTooEarly { .. } => {
            refusal.hint("check the step's number and status")
        }
        StepRefused::Number(_) | StepRefused::TooFar { .. } => {
            refusal.hint("number a dossier's steps 1, 2, 3, ... and publish those that are missing first")
        }
    }
}

fn at(time: &prost_types::Timestamp, path: &str) -> Result<Timestamp, Refusal> {
    convert::time_of(time).ok_or_else(|| {
        Refusal::new(Reason::InvalidField, "not a time").field(path).hint("seconds and nanos of UTC")
    })
}

fn status(written: &v1::DossierStep, publisher: &OrganId, codes: &CodeMap) -> Result<StepStatus, Refusal> {
    let unknown = |message: String| {
        Refusal::new(Reason::UnknownDossierStatus, message)
            .field("status")
            .hint("1 to 10, or own_status with the code of your system")
    };
    match (&written.own_status, written.status) {
        (None, 0) => Err(fields::missing("status")),
        (None, number) => dossier::status_of(number)
            .map(StepStatus::Known)
            .ok_or_else(|| unknown(format!("{number} is none of the portal's statuses"))),
        (Some(_), 1..) => Err(unknown("both status and own_status are given".to_owned())),
        (Some(own), _) => {
            fields::required(&own.code_set, OWN_CODE_CHARS_MAX, "own_status.code_set")?;
            fields::required(&own.code, OWN_CODE_CHARS_MAX, "own_status.code")?;
            let own = OwnCode { set: own.code_set.clone(), code: own.code.clone() };
            Ok(match codes.status(publisher, &own) {
                Some(status) => StepStatus::Mapped(own, status),
                None => StepStatus::Unmapped(own),
            })
        }
    }
}

fn actor(written: Option<&v1::DossierActor>) -> Result<Actor, Refusal> {
    let Some(actor) = written else { return Ok(Actor::default()) };
    let parts = [
        (&actor.name, "actor.name"),
        (&actor.position, "actor.position"),
        (&actor.department, "actor.department"),
    ];
    parts.into_iter().try_for_each(|(text, path)| fields::bounded(text, DOSSIER_ACTOR_CHARS_MAX, path))?;
    Ok(Actor {
        name: actor.name.clone(),
        position: actor.position.clone(),
        department: actor.department.clone(),
    })
}

fn documents(written: &[v1::DossierDocument]) -> Result<Vec<DocumentLink>, Refusal> {
    if written.len() > DOSSIER_DOCUMENTS_MAX {
        let many = format!("{} documents; at most {DOSSIER_DOCUMENTS_MAX}", written.len());
        return Err(Refusal::new(Reason::InvalidField, many).field("documents").hint("name fewer"));
    }
    let link = |(place, document): (usize, &v1::DossierDocument)| {
        let message_id = MessageId::parse(&document.message_id).map_err(|why| {
            Refusal::new(Reason::InvalidField, why.to_string())
                .field(format!("documents[{place}].message_id"))
                .hint("the id the message was submitted with")
        })?;
        let sender = fields::organ(&document.sender, &format!("documents[{place}].sender"))?;
        Ok(DocumentLink { sender, message_id })
    };
    written.iter().enumerate().map(link).collect()
}

#[cfg(test)]
mod tests;
