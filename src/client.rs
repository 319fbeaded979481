//! The calling side of the contract: what an agency's program needs to send, collect and look back, and what the command
//! line, the sandbox and the load generator share.

use std::time::Duration;

use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::domain::limits::PAYLOAD_BYTES_CEILING;
use crate::identity;
use crate::identity::client::{self as channel, ClientTls};
use crate::proto::v1::directory_service_client::DirectoryServiceClient;
use crate::proto::v1::document_exchange_service_client::DocumentExchangeServiceClient;
use crate::proto::v1::dossier_events_service_client::DossierEventsServiceClient;
use crate::proto::v1::link_service_client::LinkServiceClient;
use crate::proto::v1::operations_service_client::OperationsServiceClient;
use crate::proto::v1::{self, collect_request};

mod collector;
mod compare;
mod directory;
mod dossiers;
mod error;
mod operations;
mod profile;
mod receipts;
mod retry;

pub use collector::Collector;
pub use compare::{Comparison, Difference, Steps};
pub use directory::DirectoryChanges;
pub use dossiers::DossierEvents;
pub use error::CallError;
pub use profile::{PROFILE_FILE, Profile, ProfileError, ProfileFiles};
pub use receipts::Receipts;
pub use retry::Patience;

/// Longest wait for the answer to a small call.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);
/// The slowest line a large document is sent over, bytes a second; a call that carries one may take so much longer.
const LINE_BYTES_PER_S: u64 = 64 * 1024;
/// Answers are as large as the gateway's operator allows: a full Fetch, a single largest payload.
const MESSAGE_BYTES_MAX: usize = usize::MAX;

/// Why there is no connection to a gateway.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The certificates cannot be used.
    #[error(transparent)]
    Files(#[from] identity::Error),
    /// The gateway cannot be reached.
    #[error(transparent)]
    Channel(#[from] channel::Error),
}

impl ConnectError {
    /// True when it is the profile that is wrong, false when the gateway could not be reached.
    pub fn is_profile(&self) -> bool {
        match self {
            Self::Files(_)
            | Self::Channel(channel::Error::BadEndpoint { .. } | channel::Error::Plaintext(_)) => true,
            Self::Channel(channel::Error::Connect { .. }) => false,
        }
    }
}

/// An agency's connection to a gateway. Cheap to clone; calls share one HTTP/2 connection, which is made anew when it is
/// lost.
#[derive(Clone, Debug)]
pub struct Agency {
    exchange: DocumentExchangeServiceClient<Channel>,
    directory: DirectoryServiceClient<Channel>,
    dossiers: DossierEventsServiceClient<Channel>,
    operations: OperationsServiceClient<Channel>,
    links: LinkServiceClient<Channel>,
    patience: Patience,
}

impl Agency {
    /// Connects as a profile says.
    pub async fn connect(profile: &Profile) -> Result<Self, ConnectError> {
        let tls = ClientTls::load(&profile.files())?;
        let channel = channel::connect(&profile.endpoint, &tls).await?;
        Ok(Self {
            exchange: DocumentExchangeServiceClient::new(channel.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            dossiers: DossierEventsServiceClient::new(channel.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            operations: OperationsServiceClient::new(channel.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            directory: DirectoryServiceClient::new(channel.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX),
            links: LinkServiceClient::new(channel),
            patience: Patience::default(),
        })
    }

    /// The generated client, for calls that are driven by hand.
    pub fn exchange(&self) -> DocumentExchangeServiceClient<Channel> {
        self.exchange.clone()
    }

    /// The generated client of the log of dossiers.
    pub fn dossiers(&self) -> DossierEventsServiceClient<Channel> {
        self.dossiers.clone()
    }

    /// The generated client of the directory.
    pub fn directory(&self) -> DirectoryServiceClient<Channel> {
        self.directory.clone()
    }

    /// Submits a message. Tried again while the gateway cannot answer, which the message id makes safe.
    pub async fn submit(&self, submission: v1::Submission) -> Result<v1::Acceptance, CallError> {
        let timeout = timeout_for(payload_bytes(&submission));
        let answer = self
            .patience
            .call(async || {
                let request = v1::SubmitRequest { submission: Some(submission.clone()) };
                self.exchange.clone().submit(timed(request, timeout)).await
            })
            .await?;
        answer.acceptance.ok_or_else(|| CallError::unexpected("an answer without an acceptance"))
    }

    /// Leases what waits, at most so many. Never tried again by itself: what a lost answer held comes back when its
    /// lease ends.
    pub async fn fetch(&self, request: v1::FetchRequest) -> Result<Vec<v1::Delivery>, CallError> {
        let request = timed(request, timeout_for(PAYLOAD_BYTES_CEILING as u64));
        let answer = self.exchange.clone().fetch(request).await.map_err(CallError::from)?;
        Ok(answer.into_inner().deliveries)
    }

    /// Settles what was fetched; one result for each, in order. Tried again, which is safe.
    pub async fn settle(&self, request: v1::SettleRequest) -> Result<Vec<v1::SettleResult>, CallError> {
        let settle = async || self.exchange.clone().settle(timed(request.clone(), CALL_TIMEOUT)).await;
        Ok(self.patience.call(settle).await?.results)
    }

    /// Reports business statuses; one result for each, in order. Tried again, which is safe.
    pub async fn report_status(
        &self,
        request: v1::ReportStatusRequest,
    ) -> Result<Vec<v1::ReportResult>, CallError> {
        let report = async || self.exchange.clone().report_status(timed(request.clone(), CALL_TIMEOUT)).await;
        Ok(self.patience.call(report).await?.results)
    }

    /// Takes a document back; the answer says for whom at once, and who is asked. Tried again while the gateway cannot answer, which the
    /// message id makes safe.
    pub async fn recall(&self, request: v1::RecallRequest) -> Result<v1::Acceptance, CallError> {
        let recall = async || self.exchange.clone().recall(timed(request.clone(), CALL_TIMEOUT)).await;
        let answer = self.patience.call(recall).await?;
        answer.acceptance.ok_or_else(|| CallError::unexpected("an answer without an acceptance"))
    }

    /// A status of the log of what an organ sent, as an edXML file.
    pub async fn status_file(
        &self,
        request: v1::GetStatusFileRequest,
    ) -> Result<v1::GetStatusFileResponse, CallError> {
        let get = async || self.exchange.clone().get_status_file(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(get).await
    }

    /// One message's story.
    pub async fn track(&self, request: v1::TrackRequest) -> Result<v1::TrackResponse, CallError> {
        let track = async || self.exchange.clone().track(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(track).await
    }

    /// A page of overdue deliveries.
    pub async fn overdue(
        &self,
        request: v1::ListOverdueRequest,
    ) -> Result<v1::ListOverdueResponse, CallError> {
        let list = async || self.exchange.clone().list_overdue(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(list).await
    }

    /// A page of how organs meet the duty to acknowledge.
    pub async fn duty_figures(
        &self,
        request: v1::ListDutyFiguresRequest,
    ) -> Result<v1::ListDutyFiguresResponse, CallError> {
        let list =
            async || self.exchange.clone().list_duty_figures(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(list).await
    }

    /// Opens a collector.
    pub async fn collect(&self, open: v1::CollectOpen) -> Result<Collector, CallError> {
        let first = v1::CollectRequest { request: Some(collect_request::Request::Open(open)) };
        Collector::open(self.exchange.clone(), first).await
    }

    /// Watches the receipts of what an organ sent.
    pub async fn watch_receipts(&self, request: v1::WatchReceiptsRequest) -> Result<Receipts, CallError> {
        let watch = async || self.exchange.clone().watch_receipts(request.clone()).await;
        Ok(Receipts(self.patience.call(watch).await?))
    }

    /// A page of the directory.
    pub async fn organs(&self, request: v1::ListOrgansRequest) -> Result<v1::ListOrgansResponse, CallError> {
        let list = async || self.directory.clone().list_organs(timed(request.clone(), CALL_TIMEOUT)).await;
        self.patience.call(list).await
    }

    /// Where a document addressed to an organ goes.
    pub async fn resolve(&self, organ_id: &str) -> Result<v1::ResolveResponse, CallError> {
        let resolve = async || {
            let request = v1::ResolveRequest { organ_id: organ_id.to_owned() };
            self.directory.clone().resolve(timed(request, CALL_TIMEOUT)).await
        };
        self.patience.call(resolve).await
    }

    /// What an organ takes, and how fast the certificate's may submit; without an id, of the certificate's organ.
    pub async fn limits(&self, organ_id: &str) -> Result<v1::GetLimitsResponse, CallError> {
        let get = async || {
            let request = v1::GetLimitsRequest { organ_id: organ_id.to_owned() };
            self.directory.clone().get_limits(timed(request, CALL_TIMEOUT)).await
        };
        self.patience.call(get).await
    }

    /// Follows the directory.
    pub async fn watch_directory(&self, request: v1::WatchRequest) -> Result<DirectoryChanges, CallError> {
        let watch = async || self.directory.clone().watch(request.clone()).await;
        Ok(DirectoryChanges(self.patience.call(watch).await?))
    }

    /// Registers a push link. Tried again, which is safe.
    pub async fn set_push_link(&self, request: v1::SetPushLinkRequest) -> Result<v1::PushLink, CallError> {
        let set = async || self.links.clone().set_push_link(timed(request.clone(), CALL_TIMEOUT)).await;
        let link = self.patience.call(set).await?.link;
        link.ok_or_else(|| CallError::unexpected("an answer without a link"))
    }

    /// The push link of an organ.
    pub async fn push_link(&self, organ: &str) -> Result<v1::PushLink, CallError> {
        let get = async || {
            let request = v1::GetPushLinkRequest { organ: organ.to_owned() };
            self.links.clone().get_push_link(timed(request, CALL_TIMEOUT)).await
        };
        let link = self.patience.call(get).await?.link;
        link.ok_or_else(|| CallError::unexpected("an answer without a link"))
    }

    /// Deletes a push link. Not tried again: of an answer that was lost the next one would say that there is none.
    pub async fn delete_push_link(&self, organ: &str) -> Result<(), CallError> {
        let request = v1::DeletePushLinkRequest { organ: organ.to_owned() };
        let deleted = self.links.clone().delete_push_link(timed(request, CALL_TIMEOUT)).await;
        deleted.map(drop).map_err(CallError::from)
    }

    /// How calls that may be repeated are repeated.
    pub fn patience(&self) -> Patience {
        self.patience
    }
}

fn payload_bytes(submission: &v1::Submission) -> u64 {
    let bytes = match &submission.content {
        Some(v1::submission::Content::Edxml(edxml)) => edxml.file.len(),
        Some(v1::submission::Content::Document(document)) => document.payload.len(),
        Some(v1::submission::Content::Recall(recall)) => recall.reason.len(),
        None => 0,
    };
    bytes as u64
}

fn timeout_for(bytes: u64) -> Duration {
    CALL_TIMEOUT + Duration::from_secs(bytes / LINE_BYTES_PER_S)
}

fn timed<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout);
    request
}

/// The answer of a call, or its status.
type Answer<T> = Result<tonic::Response<T>, Status>;
