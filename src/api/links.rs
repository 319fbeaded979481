//! Push links: registering, looking at and deleting them.

use std::net::IpAddr;
use std::time::Duration;

use tonic::{Request, Response, Status};

use super::Api;
use super::caller::Caller;
use super::collect::{bounded, counted};
use crate::domain::limits::{
    ENDPOINT_CHARS_MAX, PUSH_TIMEOUT_S_DEFAULT, PUSH_TIMEOUT_S_MAX, PUSH_TIMEOUT_S_MIN, PUSH_WINDOW_DEFAULT,
    PUSH_WINDOW_MAX,
};
use crate::domain::link::{LinkRecord, PushLink, Server};
use crate::domain::message::Hash;
use crate::domain::organ_id::OrganId;
use crate::domain::refusal::{Reason, Refusal};
use crate::intake::{fields, ledger_failed, not_acting_for};
use crate::ledger::LinkChange;
use crate::proto::v1::link_service_server::LinkService;
use crate::proto::{convert, v1};
use crate::push::{Place, receipts_mark};

#[tonic::async_trait]
impl LinkService for Api {
    async fn set_push_link(
        &self,
        request: Request<v1::SetPushLinkRequest>,
    ) -> Result<Response<v1::SetPushLinkResponse>, Status> {
        let caller = Caller::of(&request).map_err(|refusal| self.refuse(&refusal))?;
        let set =
            self.set_link(caller, request.into_inner()).await.map_err(|refusal| self.refuse(&refusal))?;
        Ok(Response::new(v1::SetPushLinkResponse { link: Some(set) }))
    }

    async fn get_push_link(
        &self,
        request: Request<v1::GetPushLinkRequest>,
    ) -> Result<Response<v1::GetPushLinkResponse>, Status> {
        let got = async {
            let caller = Caller::of(&request)?;
            let (organ, _) = self.link_of(caller, &request.get_ref().organ, "organ")?;
            self.link(&organ).await
        };
        let link = got.await.map_err(|refusal| self.refuse(&refusal))?;
        Ok(Response::new(v1::GetPushLinkResponse { link: Some(link) }))
    }

    async fn delete_push_link(
        &self,
        request: Request<v1::DeletePushLinkRequest>,
    ) -> Result<Response<v1::DeletePushLinkResponse>, Status> {
        let deleted = async {
            let caller = Caller::of(&request)?;
            let (organ, by) = self.link_of(caller, &request.get_ref().organ, "organ")?;
            if !self.change_link(LinkChange::Delete(organ.clone())).await? {
                return Err(no_link(&organ));
            }
            tracing::info!(%organ, by, "a push link was deleted");
            Ok(())
        };
        deleted.await.map_err(|refusal| self.refuse(&refusal))?;
        Ok(Response::new(v1::DeletePushLinkResponse {}))
    }
}

impl Api {
    /// The organ a call is about, and who calls.
    fn link_of(&self, caller: Caller, named: &str, path: &str) -> Result<(OrganId, String), Refusal> {
        let Caller::Operator(name) = &caller else {
            let speaker = self.speaker(caller, named, path)?;
            return Ok((speaker.organ, speaker.by.to_string()));
        };
        let organ = fields::organ(named, path)?;
        match self.directory.load().get(&organ) {
            Some(_) => Ok((organ, format!("operator:{name}"))),
            None => {
                Err(Refusal::new(Reason::OrganNotFound, format!("organ {organ} is not in the directory"))
                    .field(path)
                    .hint("ListOrgans gives the organs there are"))
            }
        }
    }

    async fn set_link(
        &self,
        caller: Caller,
        request: v1::SetPushLinkRequest,
    ) -> Result<v1::PushLink, Refusal> {
        let written = request.link.ok_or_else(|| fields::missing("link"))?;
        let (organ, set_by) = self.link_of(caller, &written.organ, "link.organ")?;
        if self.directory.load().get(&organ).is_some_and(|organ| organ.link.is_amqp()) {
            return Err(Refusal::new(Reason::AttachedByAmqp, format!("{organ} is attached by AMQP"))
                .field("link.organ")
                .hint("its mail goes to its queues; ask the operators to attach it otherwise first"));
        }
        self.check_endpoint(&written.endpoint)?;
        let timeout = bounded(
            written.timeout.as_ref(),
            Duration::from_secs(PUSH_TIMEOUT_S_DEFAULT),
            PUSH_TIMEOUT_S_MIN..=PUSH_TIMEOUT_S_MAX,
            "link.timeout",
        )?;
        let window =
            counted(written.max_in_flight, PUSH_WINDOW_DEFAULT, PUSH_WINDOW_MAX, "link.max_in_flight")?;
        let link = PushLink {
            server: self.server(&organ, written.server)?,
            endpoint: written.endpoint,
            window: u32::try_from(window).unwrap_or(PUSH_WINDOW_MAX),
            timeout,
            receipts: written.push_receipts,
            enabled: !written.paused,
            set_at: self.dispatch.clock.now(),
            set_by,
            organ: organ.clone(),
        };
        if request.receipts_after > 0 {
            self.skip_receipts(&organ, request.receipts_after).await?;
        }
        let by = link.set_by.clone();
        self.change_link(LinkChange::Set(Box::new(link))).await?;
        tracing::info!(%organ, by, "a push link was registered");
        self.link(&organ).await
    }

    fn check_endpoint(&self, endpoint: &str) -> Result<(), Refusal> {
        fields::required(endpoint, ENDPOINT_CHARS_MAX, "link.endpoint")?;
        let place = Place::parse(endpoint).ok_or_else(|| {
            Refusal::new(Reason::InvalidField, "not an endpoint that can be called")
                .field("link.endpoint")
                .hint("https://HOST:PORT and nothing after it")
        })?;
        // What a name stands for is checked at each connection.
        let address: Option<IpAddr> = place.host.parse().ok();
        match address.is_none_or(|address| self.targets.permit(address)) {
            true => Ok(()),
            false => Err(Refusal::new(
                Reason::EndpointNotAllowed,
                "the gateway may not call the endpoint's address",
            )
            .field("link.endpoint")
            .hint("use a public address, or ask the operators to enter the network in push.allow")),
        }
    }

    fn server(&self, organ: &OrganId, written: Option<v1::push_link::Server>) -> Result<Server, Refusal> {
        Ok(match written {
            None => Server::Organ(organ.clone()),
            Some(v1::push_link::Server::ServerOrgan(text)) => {
                let server = fields::organ(&text, "link.server_organ")?;
                if !self.directory.load().acts_for(&server, organ, self.today()) {
                    return Err(not_acting_for(&server, organ).field("link.server_organ"));
                }
                Server::Organ(server)
            }
            Some(v1::push_link::Server::ServerSha256(bytes)) => {
                Server::Certificate(Hash::from_slice(&bytes).ok_or_else(|| {
                    Refusal::new(Reason::InvalidField, "server_sha256 is not 32 bytes")
                        .field("link.server_sha256")
                        .hint("the 32 bytes of the SHA-256 of the certificate in DER")
                })?)
            }
        })
    }

    /// The next receipt to be brought is the one after `after`.
    async fn skip_receipts(&self, organ: &OrganId, after: u64) -> Result<(), Refusal> {
        let failed = |error| ledger_failed(&error);
        let there = self.dispatch.ledger.receipts(organ, after - 1, 1).await.map_err(failed)?;
        if there.first().is_none_or(|receipt| receipt.sender_sequence != after) {
            return Err(Refusal::new(Reason::InvalidField, "the organ's log has no receipt of this number")
                .field("receipts_after")
                .hint("give the sender_sequence of the last receipt you have, or 0"));
        }
        let mark = receipts_mark(organ);
        loop {
            let taken = self.dispatch.ledger.mark(&mark).await.map_err(failed)?;
            let moved = self.dispatch.ledger.advance_mark(&mark, taken, after).await.map_err(failed)?;
            if moved.await.map_err(failed)? {
                return Ok(());
            }
        }
    }

    async fn change_link(&self, change: LinkChange) -> Result<bool, Refusal> {
        let changing = async { self.dispatch.ledger.change_link(change).await?.await };
        changing.await.map_err(|error| ledger_failed(&error))
    }

    async fn link(&self, organ: &OrganId) -> Result<v1::PushLink, Refusal> {
        let failed = |error| ledger_failed(&error);
        let mut found = self.dispatch.ledger.links(Some(vec![organ.clone()])).await.map_err(failed)?;
        let record: LinkRecord = found.pop().ok_or_else(|| no_link(organ))?;
        let taken = self.dispatch.ledger.mark(&receipts_mark(organ)).await.map_err(failed)?;
        Ok(convert::push_link(&record, taken))
    }
}

fn no_link(organ: &OrganId) -> Refusal {
    Refusal::new(Reason::PushLinkNotFound, format!("{organ} has no push link"))
        .field("organ")
        .hint("SetPushLink registers an endpoint")
}
