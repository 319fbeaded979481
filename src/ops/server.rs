//! The HTTP listener of `/metrics`, `/metrics/per-object`, `/livez` and `/readyz`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;

use super::readiness::Readiness;

/// How often samples are moved from the histograms' buffers to their buckets; the buffers grow in between.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The text form of Prometheus.
const TEXT: [(header::HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];

/// The listener, bound and not yet serving.
pub struct Server {
    listener: TcpListener,
    exposition: PrometheusHandle,
    readiness: Arc<Readiness>,
    refresh: Refresh,
    per_object: PerObject,
}

/// Makes the page of figures per mailbox, or says why it cannot.
type PerObject = Arc<dyn Fn() -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// Brings the figures up to date that are looked up only when they are asked for.
type Refresh = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

impl Server {
    /// Takes the port. `refresh` is run before each answer of `/metrics`.
    pub async fn bind<F, A>(
        listen: SocketAddr,
        exposition: PrometheusHandle,
        readiness: Readiness,
        refresh: F,
    ) -> io::Result<Self>
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(listen).await?;
        let refresh: Refresh = Arc::new(move || Box::pin(refresh()));
        let per_object: PerObject = Arc::new(|| Box::pin(async { Ok(String::new()) }));
        Ok(Self { listener, exposition, readiness: Arc::new(readiness), refresh, per_object })
    }

    /// Serves this page at `/metrics/per-object`.
    pub fn per_object<F, A>(mut self, page: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<String, String>> + Send + 'static,
    {
        self.per_object = Arc::new(move || Box::pin(page()));
        self
    }

    /// Where it listens; tells the port when port 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` ends, and keeps the metrics' memory bounded meanwhile.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let exposition = self.exposition.clone();
        let router = Router::new()
            .route("/livez", get(async || "alive\n"))
            .route("/readyz", get(readyz).with_state(self.readiness))
            .route("/metrics/per-object", get(per_object).with_state(self.per_object))
            .route("/metrics", get(metrics).with_state((self.exposition, self.refresh)));
        let serving = axum::serve(self.listener, router).with_graceful_shutdown(stop);
        tokio::select! {
            ended = serving.into_future() => ended,
            never = upkeep(exposition) => match never {},
        }
    }
}

async fn upkeep(exposition: PrometheusHandle) -> Infallible {
    let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        ticks.tick().await;
        exposition.run_upkeep();
    }
}

async fn metrics(State((exposition, refresh)): State<(PrometheusHandle, Refresh)>) -> Response {
    refresh().await;
    (TEXT, exposition.render()).into_response()
}

async fn per_object(State(page): State<PerObject>) -> Response {
    match page().await {
        Ok(page) => (TEXT, page).into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why).into_response(),
    }
}

async fn readyz(State(readiness): State<Arc<Readiness>>) -> Response {
    let report = readiness.report().await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&report).expect("a report is text, flags and lists");
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;
    use crate::metrics::Metrics;

    async fn ask(server: SocketAddr, path: &str) -> String {
        let mut connection = TcpStream::connect(server).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: truc\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn probes_and_metrics_answer_until_the_stop() {
        let (metrics, exposition) = Metrics::exported();
        metrics.offers.increment(7);
        let loaded = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&loaded);
        let readiness = Readiness::new().check("keys", move || {
            let loaded = seen.load(Ordering::Relaxed);
            async move { if loaded { Ok(()) } else { Err("no key loaded".to_owned()) } }
        });
        let server =
            Server::bind(([127, 0, 0, 1], 0).into(), exposition, readiness, async || ()).await.unwrap();
        let address = server.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async { stopped.await.unwrap() }));

        assert!(ask(address, "/livez").await.starts_with("HTTP/1.1 200 "));
        let page = ask(address, "/metrics").await;
        assert!(
            page.contains("text/plain; version=0.0.4") && page.contains("\ntruc_offers_total 7\n"),
            "{page}"
        );
        let unready = ask(address, "/readyz").await;
        assert!(unready.starts_with("HTTP/1.1 503 "), "{unready}");
        let body = r#"{"ready":false,"degraded":false,"checks":[{"name":"keys","ok":false,"detail":"no key loaded"}]}"#;
        assert!(unready.ends_with(body), "{unready}");
        loaded.store(true, Ordering::Relaxed);
        assert!(ask(address, "/readyz").await.starts_with("HTTP/1.1 200 "));
        assert!(ask(address, "/").await.starts_with("HTTP/1.1 404 "));

        stop.send(()).unwrap();
        running.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
