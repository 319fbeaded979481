//! Events of dossiers for RabbitMQ: a queue for each organ that wants one, and an exchange for the operator's own readers. Each is fed from
//! its own place in the log, so that one that stands still costs the others nothing, and goes on where it stopped (docs/adr/0017).

use std::sync::Arc;

use tokio::sync::watch;

use super::office::Office;
use crate::amqp::{Link, Publisher};
use crate::delivery::Dispatch;
use crate::directory::Ambiguity;
use crate::domain::organ_id::OrganId;
use crate::dossiers::Tail;
use crate::intake::sight::Grant;
use crate::submission::StepDesk;

mod feed;
mod outlet;
mod place;
mod queue;
pub mod written;

use feed::Feed;
use outlet::Outlet;
use place::Place;
use queue::AgencyQueue;

/// Dossiers over AMQP, as an operator sets it up.
pub struct Dossiers {
    /// The end of the log.
    pub tail: Arc<Tail>,
    /// Where steps come in.
    pub desk: Arc<StepDesk>,
    /// Who may follow what beside its own.
    pub grants: Arc<[Grant]>,
    /// Who stands for an organ that several have taken over.
    pub rule: Ambiguity,
    /// The organs that want a queue, and what they want of what they may follow. Several of one organ add up.
    pub wanted: Vec<Grant>,
    /// Events in an organ's queue beyond which the gateway waits.
    pub queue_length: u32,
    /// Whether all events go to the exchange, too.
    pub exchange: bool,
}

/// Starts what feeds the queues and the exchange, on a connection for it.
pub(super) fn start(
    dossiers: &Dossiers,
    office: &Arc<Office>,
    dispatch: &Arc<Dispatch>,
    link: &Link,
    directory_changed: &watch::Sender<()>,
) {
    let publisher = |must_arrive: bool| match must_arrive {
        true => Publisher::start(link, Arc::clone(&office.metrics), &office.tasks),
        false => Publisher::for_whoever_listens(link, Arc::clone(&office.metrics), &office.tasks),
    };
    let feed = |outlet: Outlet, place: Place| Feed::new(office, dispatch, &dossiers.tail, outlet, place);
    if dossiers.exchange {
        let outlet = Outlet::Exchange(publisher(false));
        let place = Place::of_exchange(dispatch, &dossiers.tail);
        spawn(office, feed(outlet, place).until_stopped(directory_changed.subscribe()));
    }
    let mut organs: Vec<OrganId> = dossiers.wanted.iter().map(|wanted| wanted.reader.clone()).collect();
    organs.sort();
    organs.dedup();
    for organ in organs {
        let place = Place::of_queue(&organ, &dossiers.tail);
        let queue = AgencyQueue::new(dossiers, office, publisher(true), link.clone(), organ);
        let feed = feed(Outlet::Queue(Box::new(queue)), place);
        spawn(office, feed.until_stopped(directory_changed.subscribe()));
    }
}

fn spawn(office: &Office, feeding: impl Future<Output = ()> + Send + 'static) {
    office.tasks.spawn(feeding);
}
