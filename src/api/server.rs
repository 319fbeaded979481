//! The listener of agencies: the services over mutual TLS.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tonic::transport::{Error, Server};
use tonic_reflection::server::Error as ReflectionError;

use super::Api;
use super::dossiers::{DossierParts, Dossiers};
use super::exchange::Exchange;
use super::operations::Operations;
use super::untyped::TypedErrors;
use crate::domain::limits::ENVELOPE_BYTES_MAX;
use crate::identity::accept::Incoming;
use crate::proto::DESCRIPTOR_SET;
use crate::proto::v1::directory_service_server::DirectoryServiceServer;
use crate::proto::v1::document_exchange_service_server::DocumentExchangeServiceServer;
use crate::proto::v1::dossier_events_service_server::DossierEventsServiceServer;
use crate::proto::v1::link_service_server::LinkServiceServer;
use crate::proto::v1::operations_service_server::OperationsServiceServer;

/// HTTP/2 flow-control windows: several batches of small documents, or a good part of a large one.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 8 * 1024 * 1024;

/// How connections are kept.
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions {
    /// Calls and streams one connection may have open.
    pub calls_per_connection_max: u32,
    /// A silent connection is pinged after this time.
    pub keepalive_interval: Duration,
    /// One that does not answer a ping in this time is closed.
    pub keepalive_timeout: Duration,
}

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptors of the contract cannot be served.
    #[error("the contract's descriptors cannot be served: {0}")]
    Reflection(#[from] ReflectionError),
    /// The server failed.
    #[error("the gRPC server failed: {0}")]
    Transport(#[from] Error),
}

/// Serves until told to stop; then lets calls in progress end.
pub async fn serve(
    api: Arc<Api>,
    dossiers: DossierParts,
    options: ServerOptions,
    incoming: Incoming,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<DocumentExchangeServiceServer<Exchange>>().await;
    health.set_serving::<DirectoryServiceServer<Api>>().await;
    health.set_serving::<DossierEventsServiceServer<Dossiers>>().await;
    health.set_serving::<OperationsServiceServer<Operations>>().await;
    health.set_serving::<LinkServiceServer<Api>>().await;
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let request_bytes_max = api.request_bytes_max();
    let drain = api.stop.clone();
    let exchange = DocumentExchangeServiceServer::new(Exchange(Arc::clone(&api)))
        .max_decoding_message_size(request_bytes_max)
        .max_encoding_message_size(usize::MAX);
    let dossiers = DossierEventsServiceServer::new(Dossiers::new(Arc::clone(&api), dossiers))
        .max_decoding_message_size(ENVELOPE_BYTES_MAX);
    let operations = OperationsServiceServer::new(Operations(Arc::clone(&api)))
        .max_decoding_message_size(ENVELOPE_BYTES_MAX);
    let links = LinkServiceServer::from_arc(Arc::clone(&api)).max_decoding_message_size(ENVELOPE_BYTES_MAX);
    let directory = DirectoryServiceServer::from_arc(api).max_decoding_message_size(ENVELOPE_BYTES_MAX);
    let reflection_v1 = reflection().build_v1()?;
    let reflection_v1alpha = reflection().build_v1alpha()?;
    let stopping = async move {
        drain.cancelled().await;
        health.set_not_serving::<DocumentExchangeServiceServer<Exchange>>().await;
        health.set_not_serving::<DirectoryServiceServer<Api>>().await;
        health.set_not_serving::<DossierEventsServiceServer<Dossiers>>().await;
        health.set_not_serving::<OperationsServiceServer<Operations>>().await;
        health.set_not_serving::<LinkServiceServer<Api>>().await;
        stop.cancelled().await;
    };
    Server::builder()
        .max_concurrent_streams(options.calls_per_connection_max)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_keepalive_interval(Some(options.keepalive_interval))
        .http2_keepalive_timeout(Some(options.keepalive_timeout))
        .layer(TypedErrors(request_bytes_max))
        .add_service(exchange)
        .add_service(directory)
        .add_service(dossiers)
        .add_service(operations)
        .add_service(links)
        .add_service(health_service)
        .add_service(reflection_v1)
        .add_service(reflection_v1alpha)
        .serve_with_incoming_shutdown(incoming, stopping)
        .await?;
    Ok(())
}
