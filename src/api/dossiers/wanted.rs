//! What a subscriber wants of the log.

use std::collections::HashSet;

use crate::domain::limits::{CONSUMER_NAME_CHARS_MAX, CONSUMER_SHARES_MAX, DOSSIER_FILTER_MAX};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::dossiers::{Consumer, Share, Shown};
use crate::intake::sight::Sight;
use crate::intake::{fields, steps};
use crate::proto::{dossier, v1};

/// A filter, read. What is empty does not restrict.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Dossiers of these and those below.
    pub at_or_below: Vec<OrganId>,
    procedures: HashSet<String>,
    statuses: HashSet<i32>,
    own_only: bool,
    share: Option<Share>,
}

impl Wanted {
    /// Reads a filter.
    pub fn read(filter: v1::DossierFilter, share: Option<Share>) -> Result<Self, Refusal> {
        let long = [filter.at_or_below.len(), filter.procedure_codes.len(), filter.statuses.len()];
        if let Some(count) = long.into_iter().find(|count| *count > DOSSIER_FILTER_MAX) {
            let message = format!("{count} entries; at most {DOSSIER_FILTER_MAX}");
            return Err(Refusal::new(Reason::InvalidField, message)
                .field("filter")
                .hint("filter by fewer, or at a higher organ"));
        }
        let organs = filter.at_or_below.iter().map(|organ| fields::organ(organ, "filter.at_or_below"));
        let procedures = filter.procedure_codes.iter().map(|code| {
            steps::procedure(code, "filter.procedure_codes").map(|code| code.as_str().to_owned())
        });
        let known = |status: &i32| dossier::status_of(*status).is_some();
        if let Some(unknown) = filter.statuses.iter().find(|status| !known(status)) {
            return Err(Refusal::new(
                Reason::UnknownDossierStatus,
                format!("{unknown} is none of the portal's statuses"),
            )
            .field("filter.statuses")
            .hint("1 to 10"));
        }
        Ok(Self {
            at_or_below: organs.collect::<Result<_, _>>()?,
            procedures: procedures.collect::<Result<_, _>>()?,
            statuses: filter.statuses.into_iter().collect(),
            own_only: filter.own_only,
            share,
        })
    }

    /// Whether an event is wanted and may be seen.
    pub fn has(&self, event: &Shown, sight: &mut Sight) -> bool {
        let below = |top: &OrganId| event.owner == *top || event.owner.is_below(top);
        self.share.is_none_or(|share| share.has(event.dossier()))
            && (self.statuses.is_empty() || self.statuses.contains(&event.status()))
            && (self.procedures.is_empty() || self.procedures.contains(event.procedure()))
            && (self.at_or_below.is_empty() || self.at_or_below.iter().any(below))
            && (!self.own_only || sight.is_own(&event.owner))
            && sight.sees(&event.owner, event.procedure())
    }
}

/// A consumer and its share, as an organ names them.
pub fn consumer(organ: &OrganId, written: v1::ConsumerShare) -> Result<(Consumer, Share), Refusal> {
    let consumer = consumer_name(organ, written.consumer, "consumer.consumer")?;
    let share = Share { index: written.share, of: written.shares.max(1) };
    if share.of > CONSUMER_SHARES_MAX || share.index >= share.of {
        return Err(Refusal::new(
            Reason::InvalidField,
            format!("share {} of {} there is not", share.index, share.of),
        )
        .field("consumer.share")
        .hint(format!("1 to {CONSUMER_SHARES_MAX} shares, counted from 0")));
    }
    Ok((consumer, share))
}

/// A consumer, as an organ names it in this field.
pub fn consumer_name(organ: &OrganId, name: String, field: &'static str) -> Result<Consumer, Refusal> {
    fields::required(&name, CONSUMER_NAME_CHARS_MAX, field)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !name.bytes().all(plain) {
        return Err(Refusal::new(Reason::InvalidField, "the name of a consumer has other characters")
            .field(field)
            .hint("a-z A-Z 0-9 . _ -"));
    }
    Ok(Consumer { organ: organ.clone(), name })
}
