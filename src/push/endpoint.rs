//! An agency's endpoint: reached under the operator's rules, recognised by its certificate, called.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint as Transport};
use tonic::{Code, Request, Response, Status};

use super::answer::{self, Fault, trouble};
use super::targets::Targets;
use super::watched::Watched;
use super::{Inbox, Place};
use crate::domain::delivery::Outcome;
use crate::domain::limits::{ENVELOPE_BYTES_MAX, PUSH_LINE_BYTES_PER_S};
use crate::domain::link::PushLink;
use crate::domain::message::Hash;
use crate::domain::push::Said;
use crate::domain::receipt::Cause;
use crate::identity::endpoint::Error as TlsError;
use crate::identity::tls::ServerTls;
use crate::proto::v1::inbox_service_client::InboxServiceClient;
use crate::proto::v1::{self, deliver_response};

/// Longest wait for a connection, handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// HTTP/2 pings: a silent connection is probed after the first, given up after the second.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// What the endpoint is told to have more than it has, so that it is the gateway that gives a call up, and knows it.
const DEADLINE_MARGIN: Duration = Duration::from_secs(1);
/// HTTP/2 window for its answers, bytes.
const WINDOW_BYTES: u32 = 64 * 1024;

/// An endpoint. Its connection is made when it is needed, and made anew when it is lost or the gateway's certificates are other ones.
pub struct Endpoint {
    inner: Arc<Inner>,
}

struct Inner {
    link: PushLink,
    place: Place,
    tls: Arc<ServerTls>,
    targets: Arc<Targets>,
    /// What it said of the gateway's certificate when the last connection had been made already.
    unwelcome: Mutex<Option<TlsError>>,
    channel: Mutex<Option<(Hash, Channel)>>,
}

impl Endpoint {
    /// The endpoint of a link.
    pub fn new(link: PushLink, place: Place, tls: Arc<ServerTls>, targets: Arc<Targets>) -> Self {
        let (unwelcome, channel) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::new(Inner { link, place, tls, targets, unwelcome, channel }) }
    }
}

impl Inbox for Endpoint {
    fn deliver(&self, delivery: v1::Delivery) -> BoxFuture<'static, Said> {
        let inner = Arc::clone(&self.inner);
        let timeout = inner.timeout(delivery.payload.len());
        Box::pin(async move {
            let request = timed(v1::DeliverRequest { delivery: Some(delivery) }, timeout);
            let mut calls = inner.client();
            match within(timeout, calls.deliver(request), |status| inner.failed(status)).await {
                Ok(v1::DeliverResponse { outcome: Some(outcome) }) => settled(outcome),
                Ok(v1::DeliverResponse { outcome: None }) => {
                    Said::Failed(trouble(Cause::PushFailed, "the endpoint answered without an outcome"))
                }
                Err(said) => said,
            }
        })
    }

    fn receipts(&self, page: v1::PushReceiptsRequest) -> BoxFuture<'static, Said> {
        let inner = Arc::clone(&self.inner);
        let timeout = inner.timeout(0);
        Box::pin(async move {
            let mut calls = inner.client();
            let call = calls.push_receipts(timed(page, timeout));
            match within(timeout, call, |status| inner.failed(status)).await {
                Ok(v1::PushReceiptsResponse {}) => Said::Settled(Outcome::Delivered),
                Err(said) => said,
            }
        })
    }

    fn overdue(&self, notice: v1::NotifyOverdueRequest) -> BoxFuture<'static, Said> {
        let inner = Arc::clone(&self.inner);
        let timeout = inner.timeout(0);
        Box::pin(async move {
            let mut calls = inner.client();
            let failed = |status: &Status| match status.code() {
                // It does without notices.
                Code::Unimplemented => Said::Settled(Outcome::Delivered),
                _ => inner.failed(status),
            };
            match within(timeout, calls.notify_overdue(timed(notice, timeout)), failed).await {
                Ok(v1::NotifyOverdueResponse {}) => Said::Settled(Outcome::Delivered),
                Err(said) => said,
            }
        })
    }
}

/// The answer of a call, or what is to be made of its failure, or of its silence.
pub(super) async fn within<T>(
    timeout: Duration,
    call: impl Future<Output = Result<Response<T>, Status>>,
    failed: impl FnOnce(&Status) -> Said,
) -> Result<T, Said> {
    match tokio::time::timeout(timeout, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(failed(&status)),
        Err(_) => {
            let words = format!("no answer in {} s", timeout.as_secs());
            Err(Said::Failed(trouble(Cause::PushTimedOut, words)))
        }
    }
}

fn timed<T>(message: T, timeout: Duration) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(timeout + DEADLINE_MARGIN);
    request
}

fn settled(outcome: deliver_response::Outcome) -> Said {
    answer::outcome(outcome).map_or_else(
        |why| Said::Failed(trouble(Cause::PushFailed, format!("the endpoint's answer is not valid: {why}"))),
        Said::Settled,
    )
}

impl Inner {
    fn timeout(&self, bytes: usize) -> Duration {
        self.link.timeout + Duration::from_secs(bytes as u64 / PUSH_LINE_BYTES_PER_S)
    }

    fn failed(&self, status: &Status) -> Said {
        answer::of(status, self.unwelcome.lock().unwrap_or_else(PoisonError::into_inner).as_ref())
    }

    /// A client of the connection there is, or of one that is made with the first call.
    fn client(self: &Arc<Self>) -> InboxServiceClient<Channel> {
        let generation = self.tls.generation();
        let mut kept = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match &*kept {
            Some((then, channel)) if *then == generation => channel.clone(),
            _ => {
                let channel = self.channel();
                *kept = Some((generation, channel.clone()));
                channel
            }
        };
        InboxServiceClient::new(channel)
            .max_encoding_message_size(usize::MAX)
            .max_decoding_message_size(ENVELOPE_BYTES_MAX)
    }

    fn channel(self: &Arc<Self>) -> Channel {
        let inner = Arc::clone(self);
        let connector = tower::service_fn(move |_: Uri| {
            let inner = Arc::clone(&inner);
            async move {
                let opened = tokio::time::timeout(CONNECT_TIMEOUT, inner.open()).await;
                let opened = opened.unwrap_or(Err(Fault::Unreachable("no connection in time".to_owned())));
                // The channel hands a fault on to the one call that wanted this connection, and to no other.
                let stream = opened?;
                *inner.unwelcome.lock().unwrap_or_else(PoisonError::into_inner) = None;
                let kept = Arc::clone(&inner);
                let watched = Watched::new(stream, move |error| kept.read_failed(error));
                Ok::<_, Fault>(TokioIo::new(watched))
            }
        });
        Transport::from(self.place.uri.clone())
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .connect_with_connector_lazy(connector)
    }

    /// With TLS 1.3 an endpoint refuses the gateway's certificate only after the handshake.
    fn read_failed(&self, error: &io::Error) {
        if let not_welcome @ TlsError::NotWelcome(_) = TlsError::of(error) {
            *self.unwelcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(not_welcome);
        }
    }

    async fn open(&self) -> Result<TlsStream<TcpStream>, Fault> {
        let unreachable = |error: io::Error| Fault::Unreachable(error.kind().to_string());
        let addresses =
            lookup_host((self.place.host.as_str(), self.place.port)).await.map_err(unreachable)?;
        let mut why = Fault::Unreachable("the host has no address".to_owned());
        for address in addresses {
            // Looked at now, since a name can point elsewhere at any time.
            if !self.targets.permit(address.ip()) {
                why = Fault::NotAllowed;
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(tcp) => {
                    tcp.set_nodelay(true).map_err(unreachable)?;
                    return Ok(self.tls.call(&self.link.server, self.name()?, tcp).await?);
                }
                Err(error) => why = unreachable(error),
            }
        }
        Err(why)
    }

    fn name(&self) -> Result<ServerName<'static>, Fault> {
        ServerName::try_from(self.place.host.clone()).map_err(|_| Fault::Unreachable("not a host".to_owned()))
    }
}
