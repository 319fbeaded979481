//! Gives a typed reason to what the gRPC library refuses by itself: messages too large, broken framing.

use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::domain::refusal::{Reason, Refusal};
use crate::proto::convert;

/// The layer; holds the largest request, bytes.
#[derive(Clone, Copy, Debug)]
pub struct TypedErrors(pub usize);

impl<S> Layer<S> for TypedErrors {
    type Service = WithTypedErrors<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WithTypedErrors { inner, request_bytes_max: self.0 }
    }
}

/// A service whose bare statuses are given their reason.
#[derive(Clone, Debug)]
pub struct WithTypedErrors<S> {
    inner: S,
    request_bytes_max: usize,
}

impl<S> Service<Request<Body>> for WithTypedErrors<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.inner.call(request);
        let bytes_max = self.request_bytes_max;
        Box::pin(async move {
            let response = answer.await?;
            Ok(match Status::from_header_map(response.headers()).and_then(|bare| typed(&bare, bytes_max)) {
                Some(status) => status.into_http(),
                None => response,
            })
        })
    }
}

/// What ended a stream's requests, typed: there the library's refusals reach the handler, not the layer.
pub fn of_stream(bare: Status, bytes_max: usize) -> Status {
    typed(&bare, bytes_max).unwrap_or(bare)
}

/// The typed form of a status the library made.
fn typed(bare: &Status, bytes_max: usize) -> Option<Status> {
    if !bare.details().is_empty() {
        return None;
    }
    let refusal = match bare.code() {
        Code::OutOfRange => {
            Refusal::new(Reason::PayloadTooLarge, format!("a request is larger than {bytes_max} bytes"))
                .fact("request_bytes_max", bytes_max)
                .hint("send a smaller file, or several")
        }
        Code::Internal => Refusal::new(Reason::MalformedRequest, bare.message().to_owned())
            .hint("send gRPC messages of the types in proto/truc/v1, uncompressed"),
        _ => return None,
    };
    Some(convert::status(&refusal))
}
