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
use crate::intake::fields;
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
