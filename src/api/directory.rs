//! The directory as callers read it.

use tonic::{Request, Response, Status};

use super::Api;
use super::caller::Caller;
use super::cursor::{self, Log};
use super::follow;
use super::history::page_size;
use crate::directory::{Link, Organ, Resolution, Selection};
use crate::domain::limits::{ORGANS_PAGE_DEFAULT, ORGANS_PAGE_MAX};
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::intake::{fields, ledger_failed};
use crate::proto::convert;
use crate::proto::v1::{self, directory_service_server::DirectoryService};

#[tonic::async_trait]
impl DirectoryService for Api {
    async fn get_organ(
        &self,
        request: Request<v1::GetOrganRequest>,
    ) -> Result<Response<v1::GetOrganResponse>, Status> {
        let found = Caller::of(&request).and_then(|_| self.organ(&request.into_inner().organ_id));
        found.map(Response::new).map_err(|refusal| self.refuse(&refusal))
    }

    async fn list_organs(
        &self,
        request: Request<v1::ListOrgansRequest>,
    ) -> Result<Response<v1::ListOrgansResponse>, Status> {
        let found = Caller::of(&request).and_then(|_| self.organs(request.into_inner()));
        found.map(Response::new).map_err(|refusal| self.refuse(&refusal))
    }

    async fn resolve(
        &self,
        request: Request<v1::ResolveRequest>,
    ) -> Result<Response<v1::ResolveResponse>, Status> {
        let found = Caller::of(&request).and_then(|_| self.resolution(&request.into_inner().organ_id));
        found.map(Response::new).map_err(|refusal| self.refuse(&refusal))
    }

    async fn get_limits(
        &self,
        request: Request<v1::GetLimitsRequest>,
    ) -> Result<Response<v1::GetLimitsResponse>, Status> {
        let caller = Caller::of(&request).map_err(|refusal| self.refuse(&refusal))?;
        let limits = self.organ_limits(caller, &request.into_inner().organ_id).await;
        limits.map(Response::new).map_err(|refusal| self.refuse(&refusal))
    }

    type WatchStream = follow::Responses;

    async fn watch(&self, request: Request<v1::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let caller = Caller::of(&request);
        let followed = caller.and_then(|caller| self.follow(caller, &request.into_inner()));
        followed.map(Response::new).map_err(|refusal| self.refuse(&refusal))
    }
}

impl Api {
    fn organ(&self, text: &str) -> Result<v1::GetOrganResponse, Refusal> {
        let id = fields::organ(text, "organ_id")?;
        let directory = self.directory.load();
        match directory.get(&id) {
            Some(found) => Ok(v1::GetOrganResponse { organ: Some(organ(found, self.today())) }),
            None => {
                let near: Vec<_> = directory.near(text).iter().map(|organ| organ.id.to_string()).collect();
                Err(Refusal::new(Reason::OrganNotFound, format!("organ {id} is not in the directory"))
                    .field("organ_id")
                    .fact("near_matches", near.join(","))
                    .hint("ListOrgans gives the organs there are"))
            }
        }
    }

    async fn organ_limits(&self, caller: Caller, text: &str) -> Result<v1::GetLimitsResponse, Refusal> {
        let asked = match text.is_empty() {
            true => caller.clone().organ()?.to_string(),
            false => text.to_owned(),
        };
        let found = self.organ(&asked)?.organ.unwrap_or_default();
        let id = fields::organ(&found.organ_id, "organ_id")?;
        let open = self.dispatch.ledger.open_deliveries(&id).await.map_err(|error| ledger_failed(&error))?;
        let allowances = self.dispatch.allowances.load();
        let (allowance, limits) = (allowances.of(&id), &self.limits);
        let most = limits.mailbox_deliveries_max;
        let mailbox_max = allowance.mailbox_deliveries_max.map_or(most, |own| own.min(most));
        let payload_max = limits.payload_bytes_max as u64;
        let (takes_from_caller, rate) = match caller {
            Caller::Operator(_) => (true, None),
            Caller::Organ(organ) => {
                (allowance.takes_from(&organ), Some(allowances.of(&organ).rate.unwrap_or(limits.rate)))
            }
        };
        Ok(v1::GetLimitsResponse {
            organ_id: found.organ_id,
            payload_bytes_max: allowance.payload_bytes_max.map_or(payload_max, |own| own.min(payload_max)),
            document_types: allowance.document_types.iter().map(ToString::to_string).collect(),
            takes_from_caller,
            mailbox_room: room(open, mailbox_max).into(),
            mailbox_deliveries_max: mailbox_max,
            window_max: allowance.window_max.unwrap_or_default(),
            caller_rate_per_s: rate.map_or(0, |rate| rate.per_s.get()),
            caller_rate_burst: rate.map_or(0, |rate| rate.burst.get()),
        })
    }

    fn organs(&self, request: v1::ListOrgansRequest) -> Result<v1::ListOrgansResponse, Refusal> {
        let limit = page_size(request.page_size, ORGANS_PAGE_DEFAULT, ORGANS_PAGE_MAX)?;
        let top = match request.at_or_below.as_str() {
            "" => None,
            text => Some(fields::organ(text, "at_or_below")?),
        };
        let scope = top.as_ref().map_or("", OrganId::as_str);
        let after = cursor::read(Log::Organs, scope, &request.page_token, "page_token")?;
        let after = after.map(|text| OrganId::parse(&text)).transpose();
        let after = after.map_err(|_| cursor::invalid("page_token"))?;
        let directory = self.directory.load();
        let today = self.today();
        let selection =
            Selection { at_or_below: top.as_ref(), include_closed: request.include_closed, day: today };
        let found = directory.list(&selection, after.as_ref(), limit);
        let last = found.last().filter(|_| found.len() == limit);
        Ok(v1::ListOrgansResponse {
            next_page_token: last.map(|o| cursor::write(Log::Organs, scope, &o.id)).unwrap_or_default(),
            organs: found.into_iter().map(|found| organ(found, today)).collect(),
        })
    }

    fn resolution(&self, text: &str) -> Result<v1::ResolveResponse, Refusal> {
        let id = fields::organ(text, "organ_id")?;
        let directory = self.directory.load();
        let mut answer = v1::ResolveResponse::default();
        let today = self.today();
        let organ = |found: &Organ| organ(found, today);
        let resolution = directory.resolve(&id, today);
        answer.organ = resolution.destination(self.limits.ambiguity).map(organ);
        let resolution = match resolution {
            Resolution::Open(_) => v1::Resolution::Open,
            Resolution::Redirected { path, legal_basis, .. } => {
                answer.path = path.iter().map(OrganId::to_string).collect();
                answer.legal_basis = legal_basis.to_owned();
                v1::Resolution::Redirected
            }
            Resolution::Ambiguous { candidates, default, legal_basis } => {
                answer.default_successor = default.map(organ);
                answer.candidates = candidates.into_iter().map(organ).collect();
                answer.legal_basis = legal_basis.to_owned();
                v1::Resolution::Ambiguous
            }
            Resolution::Closed { legal_basis } => {
                answer.legal_basis = legal_basis.to_owned();
                v1::Resolution::Closed
            }
            Resolution::Unknown { near } => {
                answer.candidates = near.into_iter().map(organ).collect();
                v1::Resolution::Unknown
            }
        };
        answer.resolution = resolution.into();
        Ok(answer)
    }
}

fn room(open: u64, max: u64) -> v1::MailboxRoom {
    match max.saturating_sub(open) {
        0 => v1::MailboxRoom::Full,
        free if free <= max / 10 => v1::MailboxRoom::Short,
        _ => v1::MailboxRoom::Plenty,
    }
}

/// An organ as it is on a day.
pub fn organ(organ: &Organ, day: time::Date) -> v1::Organ {
    let date = |date: Option<time::Date>| date.map(|date| date.to_string()).unwrap_or_default();
    v1::Organ {
        organ_id: organ.id.to_string(),
        name: organ.name_on(day).to_owned(),
        open_date: date(organ.open_date),
        close_date: date(organ.close_date),
        successors: organ.successors.iter().map(OrganId::to_string).collect(),
        default_successor: convert::optional(organ.default_successor.as_ref()),
        rename_date: date(organ.rename.as_ref().map(|rename| rename.from)),
        new_name: organ.rename.as_ref().map(|rename| rename.name.to_string()).unwrap_or_default(),
        legal_basis: organ.legal_basis.to_string(),
        acts_for_below: organ.acts_for_below == Some(true),
        link: match organ.link {
            Link::Grpc => v1::OrganLink::Grpc,
            Link::Amqp => v1::OrganLink::Amqp,
            Link::AmqpJson => v1::OrganLink::AmqpJson,
        }
        .into(),
    }
}
