//! An agency's endpoint that does as the test says, and remembers what it was brought.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::net::TcpSocket;
use tonic::{Request, Response, Status};
use truc::domain::time::SystemClock;
use truc::identity::accept::{AcceptLimits, Acceptor};
use truc::identity::pki::Issued;
use truc::identity::tls::{ServerTls, TlsFiles};
use truc::metrics::Metrics;
use truc::proto::v1::deliver_response::Outcome;
use truc::proto::v1::inbox_service_server::{InboxService, InboxServiceServer};
use truc::proto::v1::{self};

use crate::site::{PATIENCE, Site, until};

/// What an endpoint does with a call.
#[derive(Clone)]
pub enum Does {
    /// Answers.
    Says(Outcome),
    /// Answers with a status.
    Fails(Status),
    /// Never answers.
    Hangs,
}

impl Does {
    /// Takes a delivery over.
    pub fn takes() -> Self {
        Self::Says(Outcome::Delivered(v1::Delivered {}))
    }
}

/// A delivery that was brought.
#[derive(Clone, Debug)]
pub struct Brought {
    pub id: String,
    pub delivery_id: String,
    pub attempt: u32,
    pub at: Instant,
}

/// What an endpoint is told and remembers; it outlives the endpoint's process.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    // What it does with the next calls; then what it always does.
    next: VecDeque<Does>,
    always: Option<Does>,
    receipts_fail: Option<Status>,
    notices_fail: Option<Status>,
    brought: Vec<Brought>,
    receipts: Vec<v1::Receipt>,
    notices: Vec<v1::OverdueNotice>,
    in_progress: usize,
    in_progress_max: usize,
}

impl Memory {
    /// From now on it does this.
    pub fn always(&self, does: Does) {
        self.0.lock().unwrap().always = Some(does);
    }

    /// It does this with the next calls first.
    pub fn next(&self, does: impl IntoIterator<Item = Does>) {
        self.0.lock().unwrap().next.extend(does);
    }

    /// What it does with receipts: fail so, or take them.
    pub fn receipts_fail(&self, with: Option<Status>) {
        self.0.lock().unwrap().receipts_fail = with;
    }

    /// What it does with notices: fail so, or take them.
    pub fn notices_fail(&self, with: Option<Status>) {
        self.0.lock().unwrap().notices_fail = with;
    }

    pub fn notices(&self) -> Vec<v1::OverdueNotice> {
        self.0.lock().unwrap().notices.clone()
    }

    pub fn brought(&self) -> Vec<Brought> {
        self.0.lock().unwrap().brought.clone()
    }

    /// The message ids brought, each time.
    pub fn ids(&self) -> Vec<String> {
        self.brought().into_iter().map(|brought| brought.id).collect()
    }

    pub fn receipts(&self) -> Vec<v1::Receipt> {
        self.0.lock().unwrap().receipts.clone()
    }

    /// Most calls there were at a time.
    pub fn in_progress_max(&self) -> usize {
        self.0.lock().unwrap().in_progress_max
    }

    /// Waits until so many deliveries were brought, each time counted.
    pub async fn has(&self, count: usize) -> Vec<Brought> {
        until(&format!("{count} deliveries brought"), async || self.brought().len() >= count).await;
        self.brought()
    }
}

struct Inbox(Memory);

#[tonic::async_trait]
impl InboxService for Inbox {
    async fn deliver(
        &self,
        request: Request<v1::DeliverRequest>,
    ) -> Result<Response<v1::DeliverResponse>, Status> {
        let delivery = request.into_inner().delivery.unwrap();
        let envelope = delivery.envelope.unwrap();
        let brought = Brought {
            id: envelope.message_id,
            delivery_id: delivery.delivery_id,
            attempt: delivery.attempt,
            at: Instant::now(),
        };
        let does = {
            let mut inner = self.0.0.lock().unwrap();
            inner.brought.push(brought);
            inner.in_progress += 1;
            inner.in_progress_max = inner.in_progress_max.max(inner.in_progress);
            inner.next.pop_front().or_else(|| inner.always.clone()).unwrap_or_else(Does::takes)
        };
        // Others get a chance to come while this one is in progress.
        tokio::task::yield_now().await;
        if matches!(does, Does::Hangs) {
            std::future::pending::<()>().await;
        }
        self.0.0.lock().unwrap().in_progress -= 1;
        match does {
            Does::Says(outcome) => Ok(Response::new(v1::DeliverResponse { outcome: Some(outcome) })),
            Does::Fails(status) => Err(status),
            Does::Hangs => unreachable!("it hangs"),
        }
    }

    async fn push_receipts(
        &self,
        request: Request<v1::PushReceiptsRequest>,
    ) -> Result<Response<v1::PushReceiptsResponse>, Status> {
        let mut inner = self.0.0.lock().unwrap();
        if let Some(status) = &inner.receipts_fail {
            return Err(status.clone());
        }
        inner.receipts.extend(request.into_inner().receipts);
        Ok(Response::new(v1::PushReceiptsResponse {}))
    }

    async fn notify_overdue(
        &self,
        request: Request<v1::NotifyOverdueRequest>,
    ) -> Result<Response<v1::NotifyOverdueResponse>, Status> {
        let mut inner = self.0.0.lock().unwrap();
        if let Some(status) = &inner.notices_fail {
            return Err(status.clone());
        }
        inner.notices.extend(request.into_inner().notice);
        Ok(Response::new(v1::NotifyOverdueResponse {}))
    }
}

/// A running endpoint. Dropped, its process is gone, and its connections with it.
pub struct Endpoint {
    pub address: SocketAddr,
    pub memory: Memory,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Endpoint {
    /// An endpoint of an organ, with the certificate of the organ.
    pub fn of(site: &Site, organ: &str) -> Self {
        Self::start(site, &site.organ(organ), Memory::default(), 0)
    }

    /// An endpoint with a certificate, on a port or any.
    pub fn start(site: &Site, issued: &Issued, memory: Memory, port: u16) -> Self {
        let files = TlsFiles {
            certificate: issued.certificate.clone(),
            key: issued.key.clone(),
            client_ca: site.ca.certificate_path(),
            crls: vec![site.ca.crl_path()],
            tls12: false,
        };
        let tls = ServerTls::load(files, Arc::new(SystemClock), Arc::new(Metrics::unobserved())).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let inbox = InboxServiceServer::new(Inbox(memory.clone())).max_decoding_message_size(usize::MAX);
        let listener = listener(&runtime, port);
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let incoming = Acceptor::new(Arc::new(tls), AcceptLimits::default()).incoming(listener);
            tonic::transport::Server::builder()
                .add_service(inbox)
                .serve_with_incoming(incoming)
                .await
                .unwrap();
        });
        Self { address, memory, runtime: Some(runtime) }
    }

    /// Where it is called.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its process dies; gives where it was and what it remembers.
    pub fn kill(mut self) -> (u16, Memory) {
        self.end();
        (self.address.port(), self.memory.clone())
    }

    fn end(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The port may be another endpoint's that is just ending.
fn listener(runtime: &tokio::runtime::Runtime, port: u16) -> tokio::net::TcpListener {
    let _inside = runtime.enter();
    let patience = Instant::now() + PATIENCE;
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        match socket.bind(([127, 0, 0, 1], port).into()) {
            Ok(()) => return socket.listen(1_024).unwrap(),
            Err(error) => assert!(Instant::now() < patience, "port {port}: {error}"),
        }
        std::thread::yield_now();
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.end();
    }
}
