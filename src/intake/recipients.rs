//! From the organs a sender names to those the message goes to.

use std::collections::HashMap;

use time::Date;

use crate::allowances::{Allowance, Allowances};
use crate::directory::{Ambiguity, Directory, Organ, Resolution};
use crate::domain::limits::RECIPIENTS_MAX;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::ledger::Addressee;

use super::content::Content;
use super::fields;

/// Resolves the recipients a sender named; `path` is the field they stand in, a `{}` for their place.
pub fn resolve(
    directory: &Directory,
    named: &[OrganId],
    path: fn(usize) -> String,
    today: Date,
    rule: Ambiguity,
) -> Result<Vec<Addressee>, Refusal> {
    if named.is_empty() {
        return Err(fields::missing(&path(0)));
    }
    if named.len() > RECIPIENTS_MAX {
        return Err(Refusal::new(
            Reason::TooManyRecipients,
            format!("{} recipients; a message has at most {RECIPIENTS_MAX}", named.len()),
        )
        .field(path(RECIPIENTS_MAX))
        .fact("limit", RECIPIENTS_MAX)
        .hint("submit it several times, each time with other recipients and another message id"));
    }
    let mut seen: HashMap<OrganId, &OrganId> = HashMap::with_capacity(named.len());
    let mut addressees = Vec::with_capacity(named.len());
    for (place, written) in named.iter().enumerate() {
        let addressee =
            resolve_one(directory, written, today, rule).map_err(|refusal| refusal.field(path(place)))?;
        if let Some(earlier) = seen.insert(addressee.recipient.clone(), written) {
            return Err(duplicate(earlier, written, &addressee.recipient).field(path(place)));
        }
        addressees.push(addressee);
    }
    Ok(addressees)
}

/// Adds those of these organs who are somebody today, and nobody who is there already.
pub fn add(to: &mut Vec<Addressee>, directory: &Directory, named: &[OrganId], today: Date, rule: Ambiguity) {
    for written in named {
        let Ok(addressee) = resolve_one(directory, written, today, rule) else { continue };
        if to.len() < RECIPIENTS_MAX && !to.iter().any(|known| known.recipient == addressee.recipient) {
            to.push(addressee);
        }
    }
}

fn resolve_one(
    directory: &Directory,
    written: &OrganId,
    today: Date,
    rule: Ambiguity,
) -> Result<Addressee, Refusal> {
    let resolution = directory.resolve(written, today);
    if let Some(organ) = resolution.destination(rule) {
        let redirected =
            (organ.id != *written).then(|| (written.clone(), resolution.legal_basis().to_owned()));
        return Ok(Addressee { recipient: organ.id.clone(), redirected, mailbox_max: None });
    }
    let legal_basis = resolution.legal_basis();
    match resolution {
        Resolution::Ambiguous { candidates, default, .. } => {
            let refusal = closed(written, legal_basis).fact("candidates", ids(&candidates));
            let refusal = match default {
                Some(organ) => refusal.fact("default_successor", &organ.id),
                None => refusal,
            };
            Err(refusal.hint("several organs took over; address the one that is meant"))
        }
        // An open organ and one that leads to one have been answered.
        Resolution::Open(_) | Resolution::Redirected { .. } | Resolution::Closed { .. } => {
            Err(closed(written, legal_basis).hint("no open organ took over; ask the directory's operators"))
        }
        Resolution::Unknown { near } => {
            let refusal =
                Refusal::new(Reason::UnknownRecipient, format!("organ {written} is not in the directory"));
            Err(match near.is_empty() {
                true => refusal.hint("ListOrgans gives the organs there are"),
                false => refusal
                    .fact("near_matches", ids(&near))
                    .hint(format!("did you mean {} ({})?", near[0].id, near[0].name)),
            })
        }
    }
}

/// The addressees, where each takes such a document of this sender, with the room their mailboxes have.
pub fn allowed(
    allowances: &Allowances,
    mut addressees: Vec<Addressee>,
    sender: &OrganId,
    content: &Content,
) -> Result<Vec<Addressee>, Refusal> {
    for (place, addressee) in addressees.iter_mut().enumerate() {
        let allowance = allowances.of(&addressee.recipient);
        takes(allowance, &addressee.recipient, sender, content)
            .map_err(|refusal| refusal.field((content.recipients_path)(place)))?;
        addressee.mailbox_max = allowance.mailbox_deliveries_max;
    }
    Ok(addressees)
}

fn takes(allowance: &Allowance, organ: &OrganId, sender: &OrganId, content: &Content) -> Result<(), Refusal> {
    if !allowance.takes_from(sender) {
        return Err(Refusal::new(Reason::SenderNotTaken, format!("{organ} takes no documents of {sender}"))
            .fact("organ", organ)
            .hint("GetLimits says what a recipient takes; ask it, or send by another way"));
    }
    if let Some(max) = allowance.payload_bytes_max
        && content.payload.len() as u64 > max
    {
        return Err(Refusal::new(
            Reason::RecipientPayloadLimit,
            format!("{organ} takes payloads of at most {max} bytes"),
        )
        .fact("organ", organ)
        .fact("payload_bytes_max", max)
        .hint("send this recipient a smaller file; GetLimits says what it takes"));
    }
    let document_type = content.header.as_ref().map_or("", |header| &header.document_type);
    if !allowance.takes_type(document_type) {
        return Err(Refusal::new(
            Reason::DocumentTypeNotTaken,
            format!("{organ} takes no documents of the type {document_type:?}"),
        )
        .fact("organ", organ)
        .fact("document_types", allowance.document_types.join(";"))
        .hint("GetLimits says which types a recipient takes"));
    }
    Ok(())
}

fn closed(written: &OrganId, legal_basis: &str) -> Refusal {
    Refusal::new(Reason::RecipientClosed, format!("organ {written} is closed"))
        .fact("legal_basis", legal_basis)
}

fn duplicate(earlier: &OrganId, written: &OrganId, recipient: &OrganId) -> Refusal {
    let message = match earlier == written {
        true => format!("{written} is named twice"),
        false => format!("{earlier} and {written} are both {recipient} today"),
    };
    Refusal::new(Reason::DuplicateRecipient, message)
        .fact("organ", recipient)
        .hint("name each recipient once; one document reaches an organ once")
}

fn ids(organs: &[&Organ]) -> String {
    organs.iter().map(|organ| organ.id.as_str()).collect::<Vec<_>>().join(",")
}
