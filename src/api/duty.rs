//! The duty to acknowledge, as callers look at it: what is overdue, and how organs meet it.

use time::Date;
use time::format_description::well_known::Iso8601;

use super::Api;
use super::caller::{Caller, Speaker};
use super::cursor::{self, Log};
use super::history::page_size;
use crate::domain::calendar::Day;
use crate::domain::delivery::DeliveryId;
use crate::domain::limits::{DUTY_DAYS_DEFAULT, DUTY_DAYS_MAX, LIST_PAGE_DEFAULT, LIST_PAGE_MAX};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::intake::{fields, ledger_failed};
use crate::ledger::{DutyFigures, OverdueOf};
use crate::proto::{convert, v1};

/// 1 January 1970 in Julian days.
const EPOCH_JULIAN_DAY: i32 = 2_440_588;

impl Api {
    /// What is overdue.
    pub async fn list_overdue(
        &self,
        caller: Caller,
        request: v1::ListOverdueRequest,
    ) -> Result<v1::ListOverdueResponse, Refusal> {
        let organ = self.whose(caller, &request.organ)?;
        let (of, scope) = match (organ, request.side()) {
            (None, _) => (OverdueOf::Everybody, "*".to_owned()),
            (Some(organ), v1::OverdueSide::Sender) => {
                let scope = format!("s {organ}");
                (OverdueOf::Sender(organ), scope)
            }
            (Some(organ), v1::OverdueSide::Recipient | v1::OverdueSide::Unspecified) => {
                let scope = format!("r {organ}");
                (OverdueOf::Recipient(organ), scope)
            }
        };
        let limit = page_size(request.page_size, LIST_PAGE_DEFAULT, LIST_PAGE_MAX)?;
        let before = cursor::read_number(Log::Overdue, &scope, &request.page_token, "page_token")?;
        let found =
            self.dispatch.ledger.overdue(&of, before.map(DeliveryId), !request.include_past, limit).await;
        let found = found.map_err(|error| ledger_failed(&error))?;
        let last = found.last().filter(|_| found.len() == limit).and_then(|last| last.deliveries.first());
        Ok(v1::ListOverdueResponse {
            next_page_token: last.map(|d| cursor::write(Log::Overdue, &scope, d.id.0)).unwrap_or_default(),
            deliveries: found.iter().map(convert::overdue).collect(),
        })
    }

    /// How organs meet their duty.
    pub async fn list_duty_figures(
        &self,
        caller: Caller,
        request: v1::ListDutyFiguresRequest,
    ) -> Result<v1::ListDutyFiguresResponse, Refusal> {
        let organ = self.whose(caller, &request.organ)?;
        let days = self.days(&request)?;
        let limit = page_size(request.page_size, LIST_PAGE_DEFAULT, LIST_PAGE_MAX)?;
        let scope = organ.as_ref().map_or("*", OrganId::as_str);
        let after = cursor::read(Log::Duty, scope, &request.page_token, "page_token")?;
        let after = after.map(|text| OrganId::parse(&text)).transpose();
        let after = after.map_err(|_| cursor::invalid("page_token"))?;
        let found = self.dispatch.ledger.duty_figures(organ.as_ref(), days, after.as_ref(), limit).await;
        let found = found.map_err(|error| ledger_failed(&error))?;
        let last = found.last().filter(|_| found.len() == limit);
        Ok(v1::ListDutyFiguresResponse {
            next_page_token: last
                .map(|last| cursor::write(Log::Duty, scope, &last.organ))
                .unwrap_or_default(),
            organs: found.iter().map(figures).collect(),
        })
    }

    /// The organ a caller looks at; none for an operator who looks at all.
    fn whose(&self, caller: Caller, named: &str) -> Result<Option<OrganId>, Refusal> {
        match (caller, named) {
            (Caller::Operator(_), "") => Ok(None),
            (Caller::Operator(_), named) => fields::organ(named, "organ").map(Some),
            (caller, named) => {
                let Speaker { organ, .. } = self.speaker(caller, named, "organ")?;
                Ok(Some(organ))
            }
        }
    }

    fn days(&self, request: &v1::ListDutyFiguresRequest) -> Result<(Day, Day), Refusal> {
        let last = match request.last_date.as_str() {
            "" => Day::of(self.dispatch.clock.now()),
            text => day(text, "last_date")?,
        };
        let first = match request.first_date.as_str() {
            "" => last.plus(-DUTY_DAYS_DEFAULT),
            text => day(text, "first_date")?,
        };
        if first > last || last.0 - first.0 > DUTY_DAYS_MAX {
            return Err(Refusal::new(Reason::InvalidField, "the days asked for are not a span")
                .field("last_date")
                .hint(format!("the first day, and a last one at most {DUTY_DAYS_MAX} days after it")));
        }
        Ok((first, last))
    }
}

fn day(text: &str, path: &str) -> Result<Day, Refusal> {
    let date = Date::parse(text, &Iso8601::DATE).map_err(|_| {
        Refusal::new(Reason::InvalidField, "not a date").field(path).hint("a day as 2026-02-17")
    })?;
    Ok(Day(date.to_julian_day() - EPOCH_JULIAN_DAY))
}

fn figures(figures: &DutyFigures) -> v1::DutyFigures {
    let days = figures.days.iter().filter_map(|day| {
        let date = Date::from_julian_day(day.day.0.saturating_add(EPOCH_JULIAN_DAY)).ok()?;
        Some(v1::DutyDay { date: date.to_string(), due: day.due, overdue: day.overdue })
    });
    v1::DutyFigures {
        organ: figures.organ.to_string(),
        due: figures.due,
        overdue: figures.overdue,
        overdue_now: figures.overdue_now,
        days: days.collect(),
    }
}
