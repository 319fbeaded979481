//! Dossiers and their steps as text and as JSON.

use serde_json::{Value, json};

use crate::cli::times;
use crate::cli::words::{Lang, Word};
use crate::proto::{dossier, v1};

/// A status with its number, `4 Đang xử lý`; nothing where there is none.
pub fn status(number: i32, lang: Lang) -> String {
    dossier::status_of(number).map_or_else(String::new, |status| {
        let text = match lang {
            Lang::Vi => status.vietnamese(),
            Lang::En => status.english(),
        };
        format!("{number} {text}")
    })
}

/// The status of a step, its own code where no map knows it.
pub fn step_status(step: &v1::DossierStep, lang: Lang) -> String {
    match (step.status, &step.own_status) {
        (0, Some(own)) => format!("{}: {}", own.code_set, own.code),
        (number, _) => status(number, lang),
    }
}

/// What is peculiar about a step.
pub fn flags(flags: impl Iterator<Item = v1::StepFlag>, lang: Lang) -> String {
    flags.map(|flag| word(flag).text(lang)).collect::<Vec<_>>().join(", ")
}

fn word(flag: v1::StepFlag) -> Word {
    match flag {
        v1::StepFlag::Unspecified => Word::Unknown,
        v1::StepFlag::Unusual => Word::StepUnusual,
        v1::StepFlag::AfterGap => Word::StepAfterGap,
        v1::StepFlag::Late => Word::StepLate,
        v1::StepFlag::Unmapped => Word::StepUnmapped,
        v1::StepFlag::TimeBack => Word::StepTimeBack,
    }
}

/// Numbers of steps: `2, 3`.
pub fn steps(numbers: &[u32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn flag_names(flags: impl Iterator<Item = v1::StepFlag>) -> Vec<String> {
    flags.map(|flag| flag.as_str_name().trim_start_matches("STEP_FLAG_").to_ascii_lowercase()).collect()
}

/// An event as JSON.
pub fn event(event: &v1::DossierEvent) -> Value {
    let step = event.step.clone().unwrap_or_default();
    let actor = step.actor.clone().unwrap_or_default();
    let documents = step.documents.iter();
    json!({
        "type": "dossier_event",
        "position": event.position,
        "dossier_code": event.dossier_code,
        "written_code": step.dossier_code,
        "owner": event.owner,
        "publisher": event.publisher,
        "publish_time": times::exact(event.publish_time.as_ref()),
        "step": step.step,
        "procedure_code": step.procedure_code,
        "status": step.status,
        "own_status": step.own_status.as_ref().map(|own| json!({ "code_set": own.code_set, "code": own.code })),
        "actor": { "name": actor.name, "position": actor.position, "department": actor.department },
        "occurred_time": times::exact(step.occurred_time.as_ref()),
        "due_time": times::exact(step.due_time.as_ref()),
        "start_time": times::exact(step.start_time.as_ref()),
        "note": step.note,
        "documents": documents
            .map(|link| json!({ "sender": link.sender, "message_id": link.message_id }))
            .collect::<Vec<_>>(),
        "flags": flag_names(event.flags()),
        "missing_from": event.missing_from,
    })
}

/// A dossier as JSON.
pub fn dossier_json(dossier: &v1::Dossier) -> Value {
    json!({
        "type": "dossier",
        "dossier_code": dossier.dossier_code,
        "owner": dossier.owner,
        "procedure_code": dossier.procedure_code,
        "status": dossier.status,
        "due_time": times::exact(dossier.due_time.as_ref()),
        "overdue": dossier.overdue,
        "last_step": dossier.last_step,
        "missing_steps": dossier.missing_steps,
    })
}

/// A filter as JSON.
pub fn filter(filter: &v1::DossierFilter) -> Value {
    json!({
        "at_or_below": filter.at_or_below,
        "procedure_codes": filter.procedure_codes,
        "statuses": filter.statuses,
        "own_only": filter.own_only,
    })
}

/// How far a consumer is with a dossier, as JSON.
pub fn reader(reader: &v1::DossierReader) -> Value {
    json!({
        "type": "dossier_reader",
        "organ": reader.organ,
        "consumer": reader.consumer,
        "step": reader.step,
    })
}

/// A result as JSON.
pub fn result(result: &v1::PublishResult) -> Value {
    let refusal = result.refusal.as_ref().map(|refusal| {
        let reason = refusal.reason().as_str_name().trim_start_matches("ERROR_REASON_");
        json!({ "reason": reason, "message": refusal.message, "field": refusal.field, "hint": refusal.hint })
    });
    json!({
        "type": "publish_result",
        "dossier_code": result.dossier_code,
        "step": result.step,
        "position": result.position,
        "repeated": result.repeated_step,
        "flags": flag_names(result.flags()),
        "missing_steps": result.missing_steps,
        "held_until_time": times::exact(result.held_until_time.as_ref()),
        "refusal": refusal,
    })
}
