//! Push links: an agency that registers an endpoint is brought its mail, and the receipts of what it sent, in place of fetching them.
//!
//! Of several nodes one sees to a link ([`crate::ledger::Nodes::sees_to`]). For each of its links a node has a worker, which takes from the
//! mailbox as a collector does, a notifier, which tells what is overdue, and where receipts are wanted a feeder.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::delivery::{Dispatch, LEDGER_RETRY_DELAY};
use crate::directory::Directory;
use crate::domain::link::LinkRecord;
use crate::domain::organ_id::OrganId;
use crate::domain::push::{Policy, Said};
use crate::domain::time::Timestamp;
use crate::identity::tls::ServerTls;
use crate::ledger::{self, Nodes};
use crate::metrics::LinkState;
use crate::proto::v1;

mod answer;
mod aside;
mod endpoint;
mod feeder;
mod lines;
mod notifier;
mod place;
mod targets;
mod watched;
mod worker;

pub use endpoint::Endpoint;
pub use feeder::receipts_mark;
pub use place::Place;
pub use targets::{Network, Targets};
pub use worker::Worker;

use feeder::Feeder;
use notifier::Notifier;

/// Where deliveries, receipts and notices are brought to: an agency's endpoint, or a test's.
pub trait Inbox: Send + Sync + 'static {
    /// Brings a delivery.
    fn deliver(&self, delivery: v1::Delivery) -> BoxFuture<'static, Said>;

    /// Brings receipts.
    fn receipts(&self, page: v1::PushReceiptsRequest) -> BoxFuture<'static, Said>;

    /// Tells what is overdue.
    fn overdue(&self, notice: v1::NotifyOverdueRequest) -> BoxFuture<'static, Said>;
}

/// How links are served.
#[derive(Clone, Debug)]
pub struct Options {
    /// How outages are handled.
    pub policy: Policy,
    /// Most payload bytes on their way to one endpoint.
    pub window_bytes: u64,
    /// Which addresses may be called.
    pub targets: Arc<Targets>,
}

/// Serves the links this node sees to.
pub struct Pushes {
    dispatch: Arc<Dispatch>,
    directory: Arc<ArcSwap<Directory>>,
    tls: Arc<ServerTls>,
    options: Options,
    changed: Notify,
    tasks: TaskTracker,
}

/// The links that are served.
type Served = HashMap<OrganId, ServedLink>;

/// A link that is served.
struct ServedLink {
    set_at: Timestamp,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Pushes {
    /// Over a directory and certificates that may change. `tasks` are waited for before the ledger is closed.
    pub fn new(
        dispatch: Arc<Dispatch>,
        directory: Arc<ArcSwap<Directory>>,
        tls: Arc<ServerTls>,
        options: Options,
        tasks: TaskTracker,
    ) -> Self {
        Self { dispatch, directory, tls, options, changed: Notify::new(), tasks }
    }

    /// Which addresses may be called.
    pub fn targets(&self) -> &Arc<Targets> {
        &self.options.targets
    }

    /// The directory is another one.
    pub fn directory_changed(&self) {
        self.changed.notify_one();
    }

    /// Works until told to stop.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut served = Served::new();
        let mut nodes = self.dispatch.ledger.nodes();
        self.dispatch.links.may_have_changed();
        loop {
            // Which links may have to be served otherwise; none named means any.
            let of = tokio::select! {
                () = stop.cancelled() => return,
                of = self.dispatch.links.stale() => match self.read(&of).await {
                    Ok(()) => of,
                    Err(_) => {
                        // The ledger has logged why.
                        self.dispatch.links.changed(of);
                        tokio::time::sleep(LEDGER_RETRY_DELAY).await;
                        continue;
                    }
                },
                () = self.changed.notified() => None,
                changed = nodes.changed() => if changed.is_ok() { None } else { return },
            };
            // Nodes that have come or gone meanwhile concern all links.
            let of = of.filter(|_| !nodes.has_changed().unwrap_or(false));
            let now = nodes.borrow_and_update().clone();
            self.serve(of, &now, &mut served, &stop).await;
            self.count(&served, &now);
        }
    }

    async fn read(&self, of: &Option<Vec<OrganId>>) -> Result<(), ledger::Error> {
        let records = self.dispatch.ledger.links(of.clone()).await?;
        self.dispatch.links.replace(of.as_deref(), records);
        Ok(())
    }

    /// Brings what is served of these links, or of all, in line with what is to be.
    async fn serve(
        self: &Arc<Self>,
        of: Option<Vec<OrganId>>,
        nodes: &Nodes,
        served: &mut Served,
        stop: &CancellationToken,
    ) {
        let (links, directory) = (self.dispatch.links.all(), self.directory.load_full());
        let of = of.unwrap_or_else(|| links.keys().chain(served.keys()).cloned().collect());
        let is_wanted = |record: &&Arc<LinkRecord>| {
            let organ = &record.link.organ;
            let is_attached = directory.get(organ).is_some_and(|organ| !organ.link.is_amqp());
            record.link.enabled && is_attached && nodes.sees_to(organ)
        };
        let (mut ended, mut wanted) = (Vec::new(), Vec::new());
        for organ in &of {
            let record = links.get(organ).filter(is_wanted);
            let same = record.zip(served.get(organ)).is_some_and(|(r, s)| r.link.set_at == s.set_at);
            if !same {
                ended.extend(served.remove(organ));
                wanted.extend(record);
            }
        }
        ended.iter().for_each(|served| served.stop.cancel());
        for task in ended.into_iter().flat_map(|served| served.tasks) {
            // Over before another takes its place.
            let _panicked = task.await.is_err();
        }
        for record in wanted {
            let organ = &record.link.organ;
            if served.contains_key(organ) {
                continue;
            }
            match self.start(record, stop) {
                Some(started) => drop(served.insert(organ.clone(), started)),
                None => {
                    tracing::error!(%organ, "a push link whose endpoint cannot be understood is not served")
                }
            }
        }
    }

    fn start(self: &Arc<Self>, record: &LinkRecord, stop: &CancellationToken) -> Option<ServedLink> {
        let link = &record.link;
        let place = Place::parse(&link.endpoint)?;
        let (tls, targets) = (Arc::clone(&self.tls), Arc::clone(&self.options.targets));
        let inbox: Arc<dyn Inbox> = Arc::new(Endpoint::new(link.clone(), place, tls, targets));
        let stop = stop.child_token();
        let (window_bytes, policy) = (self.options.window_bytes, self.options.policy);
        let worker =
            Worker::new(Arc::clone(&self.dispatch), record.clone(), Arc::clone(&inbox), policy, window_bytes);
        let (dispatch, organ) = (&self.dispatch, &link.organ);
        let notifier = Notifier::new(Arc::clone(dispatch), organ.clone(), Arc::clone(&inbox), policy);
        let mut tasks =
            vec![self.tasks.spawn(worker.run(stop.clone())), self.tasks.spawn(notifier.run(stop.clone()))];
        if link.receipts {
            let feeder = Feeder::new(Arc::clone(dispatch), organ.clone(), inbox, policy);
            tasks.push(self.tasks.spawn(feeder.run(stop.clone())));
        }
        tracing::info!(organ = %link.organ, endpoint = link.endpoint, "a push link is served");
        Some(ServedLink { set_at: link.set_at, stop, tasks })
    }

    fn count(&self, served: &Served, nodes: &Nodes) {
        let links = self.dispatch.links.all();
        let out = |organ: &&OrganId| links.get(*organ).is_some_and(|record| record.outage.is_some());
        let out = served.keys().filter(out).count();
        let paused =
            links.values().filter(|record| !record.link.enabled && nodes.sees_to(&record.link.organ));
        for (state, count) in
            [(LinkState::Up, served.len() - out), (LinkState::Out, out), (LinkState::Paused, paused.count())]
        {
            self.dispatch.metrics.push_links.of(state).set(count as f64);
        }
    }
}

/// How long a worker that is to make way for another lets its calls in progress go on.
const MAKE_WAY_TIMEOUT: Duration = Duration::from_secs(1);
