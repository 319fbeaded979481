//! Looking at dossiers: one as it stands, its steps, those of an organ.

use prost::Message;

use super::Dossiers;
use super::wanted::Wanted;
use crate::api::caller::{Caller, Speaker};
use crate::api::cursor::{self, Log};
use crate::domain::dossier::DossierCode;
use crate::domain::limits::{DOSSIER_EVENTS_PAGE_MAX, LIST_PAGE_DEFAULT, LIST_PAGE_MAX};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::domain::time::Timestamp;
use crate::dossiers::{After, Dossier, Event, Follower, History, Place, Selection, Shown, message};
use crate::intake::{fields, ledger_failed, steps};
use crate::proto::{convert, dossier, v1};

impl Dossiers {
    /// One dossier.
    pub async fn dossier(
        &self,
        caller: Caller,
        request: v1::GetDossierRequest,
    ) -> Result<v1::GetDossierResponse, Refusal> {
        let Speaker { organ, .. } = self.api.speaker(caller, &request.organ, "organ")?;
        let (found, events) = self.history(&organ, &request.dossier_code).await?;
        let followers = self.parts.tail.log().followers().await.map_err(|error| ledger_failed(&error))?;
        let is_own = self.sight(&organ).is_own(found.code.owner());
        let shown: Vec<_> = events.iter().filter_map(|event| Some((event.step, Shown::of(event)?))).collect();
        let readers = followers.into_iter().filter(|known| is_own || known.place.consumer.organ == organ);
        Ok(v1::GetDossierResponse {
            readers: readers.filter_map(|follower| self.reader(follower, &shown)).collect(),
            dossier: Some(standing(&found, self.api.dispatch.clock.now())),
            events: messages(events.iter().take(DOSSIER_EVENTS_PAGE_MAX)),
        })
    }

    /// How far a consumer is with a dossier of these steps, if it wants any of them and may see them.
    fn reader(&self, follower: Follower, steps: &[(u32, Shown)]) -> Option<v1::DossierReader> {
        let Place { consumer, share, position } = follower.place;
        let filter = v1::DossierFilter::decode(follower.filter).ok()?;
        let wanted = Wanted::read(filter, Some(share)).ok()?;
        let mut sight = self.sight(&consumer.organ);
        let mut steps = steps.iter().filter(|(_, shown)| wanted.has(shown, &mut sight)).peekable();
        steps.peek()?;
        let done = steps.filter(|(_, shown)| (1..=position).contains(&shown.position));
        let last = done.max_by_key(|(_, shown)| shown.position);
        Some(v1::DossierReader {
            organ: consumer.organ.to_string(),
            consumer: consumer.name,
            step: last.map_or(0, |(number, _)| *number),
        })
    }

    /// The steps of one dossier.
    pub async fn dossier_events(
        &self,
        caller: Caller,
        request: v1::ListDossierEventsRequest,
    ) -> Result<v1::ListDossierEventsResponse, Refusal> {
        let Speaker { organ, .. } = self.api.speaker(caller, &request.organ, "organ")?;
        let limit = page_size(request.page_size)?;
        let (_, events) = self.history(&organ, &request.dossier_code).await?;
        let mut wanted = events.iter().filter(|event| event.step > request.after_step).peekable();
        let page: Vec<&Event> = wanted.by_ref().take(limit).collect();
        let last = page.last().map_or(0, |event| event.step);
        Ok(v1::ListDossierEventsResponse {
            next_after_step: if wanted.peek().is_some() { last } else { 0 },
            events: messages(page.into_iter()),
        })
    }

    /// Dossiers of an organ and those below it.
    pub async fn list(
        &self,
        caller: Caller,
        request: v1::ListDossiersRequest,
    ) -> Result<v1::ListDossiersResponse, Refusal> {
        let Speaker { organ, .. } = self.api.speaker(caller, &request.organ, "organ")?;
        let limit = page_size(request.page_size)?;
        let top = match request.at_or_below.as_str() {
            "" => organ.clone(),
            text => fields::organ(text, "at_or_below")?,
        };
        self.sight(&organ).check_all(&top, "at_or_below")?;
        let now = self.api.dispatch.clock.now();
        let after = page_token(&top, &request.page_token)?;
        let overdue_at = request.overdue_only.then_some(now);
        let selection = Selection { at_or_below: top.clone(), overdue_at };
        let found = self.parts.tail.log().dossiers(&selection, after.as_ref(), limit).await;
        let found = found.map_err(|error| ledger_failed(&error))?;
        let next_page_token = match found.last() {
            Some(last) if found.len() == limit => {
                let place = format!("{}/{}", last.code.owner(), last.key);
                cursor::write(Log::DossierList, top.as_str(), place)
            }
            _ => String::new(),
        };
        let dossiers = found.iter().map(|found| standing(found, now)).collect();
        Ok(v1::ListDossiersResponse { dossiers, next_page_token })
    }

    /// A dossier the organ may see.
    async fn history(&self, organ: &OrganId, text: &str) -> Result<History, Refusal> {
        let code: DossierCode = steps::code(text, "dossier_code")?;
        let found = self.parts.tail.log().history(&code).await.map_err(|error| ledger_failed(&error))?;
        let mut sight = self.sight(organ);
        let procedure = found.as_ref().map_or("", |(dossier, _)| dossier.procedure.as_str());
        // Whether there is such a dossier is told only to those who may see it.
        if !sight.sees(code.owner(), procedure) {
            return Err(sight.refusal(code.owner(), "dossier_code"));
        }
        found.ok_or_else(|| {
            Refusal::new(Reason::DossierNotFound, format!("nothing was published of dossier {code}"))
                .field("dossier_code")
                .hint("ListDossiers lists the dossiers of an organ")
        })
    }
}

fn page_token(top: &OrganId, token: &str) -> Result<Option<After>, Refusal> {
    let place = cursor::read(Log::DossierList, top.as_str(), token, "page_token")?;
    let after = |place: String| {
        let (owner, key) = place.split_once('/')?;
        Some((OrganId::parse(owner).ok()?, key.parse().ok()?))
    };
    place.map(|place| after(place).ok_or_else(|| cursor::invalid("page_token"))).transpose()
}

fn page_size(asked: u32) -> Result<usize, Refusal> {
    match asked {
        0 => Ok(LIST_PAGE_DEFAULT as usize),
        1..=LIST_PAGE_MAX => Ok(asked as usize),
        _ => Err(Refusal::new(Reason::InvalidField, format!("{asked} is more than {LIST_PAGE_MAX}"))
            .field("page_size")
            .hint(format!("1 to {LIST_PAGE_MAX}, or 0 for {LIST_PAGE_DEFAULT}"))),
    }
}

fn messages<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<v1::DossierEvent> {
    events.filter_map(message).collect()
}

fn standing(found: &Dossier, now: Timestamp) -> v1::Dossier {
    let status = found.course.status();
    let is_open = !status.is_some_and(|status| status.is_done());
    v1::Dossier {
        dossier_code: found.code.to_string(),
        owner: found.code.owner().to_string(),
        procedure_code: found.procedure.to_string(),
        status: status.map_or(v1::DossierStatus::Unspecified, dossier::status).into(),
        due_time: found.due_at.map(convert::timestamp),
        overdue: is_open && found.due_at.is_some_and(|due| due < now),
        last_step: found.course.last().map_or(0, |mark| mark.number),
        missing_steps: found.course.missing(),
    }
}
