//! A set-up under trial: whatever can die is killed at its own random moments, and started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::deaths::{Death, Deaths};
use crate::gateway::{Gateway, Span};
use crate::journal::Journal;
use crate::line::Switchboard;
use crate::setup::{SetUp, Surroundings};
use crate::site::{Process, Site};
use crate::town::Town;

/// Documents that may wait for a sender.
const DOCUMENTS_WAITING_MAX: usize = 96;
const TICKS_PER_S: usize = 100;

/// A set-up whose parts are killed again and again.
pub struct Trial {
    pub gateways: Vec<Gateway>,
    pub around: Surroundings,
    pub switchboard: Switchboard,
    pub deaths: Arc<Deaths>,
    rng: fastrand::Rng,
}

/// How much is killed, and how fast.
pub struct Plan {
    /// Each gateway dies this often at least, ...
    pub gateway_deaths: usize,
    pub gateway: Span,
    /// ... RabbitMQ this often, ...
    pub rabbitmq_deaths: usize,
    pub rabbitmq: Span,
    /// ... and PostgreSQL this often.
    pub postgres_deaths: usize,
    pub postgres: Span,
    /// New documents, as far as the senders keep up.
    pub documents_per_s: usize,
}

/// Those who have not died often enough yet.
struct Lots(AtomicUsize);

impl Lots {
    /// True while somebody has to go on; `deaths` of `enough` are those of the one who asks, after another one.
    fn go_on(&self, deaths: usize, enough: usize) -> bool {
        if deaths == enough {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Trial {
    /// A set-up at work.
    pub async fn begin(set_up: SetUp, rng: &mut fastrand::Rng) -> Self {
        let mut rng = rng.fork();
        let around = blocking(move || set_up.surroundings()).await;
        let sites = set_up.sites(&around);
        let switchboard = Switchboard::new(sites.len());
        let deaths = Arc::default();
        let mut gateways = Vec::new();
        for site in sites.into_iter().enumerate() {
            let waits = around.postgres.is_some();
            gateways.push(Gateway::start(site, &switchboard, &deaths, waits, rng.fork()).await);
        }
        Self { gateways, around, switchboard, deaths, rng }
    }

    /// The place of all gateways, for their clients.
    pub fn site(&self) -> &Site {
        &self.gateways[0].site
    }

    /// A running gateway.
    pub fn running(&self) -> &Process {
        self.gateways[0].running()
    }

    /// Kills everything that can die until each has died as often as it is to. The last ends before it has died once more.
    pub async fn run(&mut self, plan: &Plan, town: &Town) {
        let lots = Lots(AtomicUsize::new(0));
        let mut fates: Vec<BoxFuture<'_, ()>> = Vec::new();
        if let Some(rabbitmq) = &self.around.rabbitmq
            && plan.rabbitmq_deaths > 0
        {
            let crash = |part: &crate::nodes::RabbitMq, clean| if clean { part.stop() } else { part.kill() };
            let (killed, stopped) = (Death::RabbitMqKilled, Death::RabbitMqStopped);
            let fate = Fate { part: rabbitmq, crash, restart: crate::nodes::RabbitMq::restart };
            let (span, enough) = (&plan.rabbitmq, plan.rabbitmq_deaths);
            fates.push(
                fate.meet(span, enough, [killed, stopped], &self.deaths, &lots, self.rng.fork()).boxed(),
            );
        }
        if let Some(postgres) = &self.around.postgres
            && plan.postgres_deaths > 0
        {
            let crash = |part: &crate::nodes::Postgres, _| part.stop_immediate();
            let death = Death::PostgresStoppedAtOnce;
            let fate = Fate { part: postgres, crash, restart: crate::nodes::Postgres::restart };
            let (span, enough) = (&plan.postgres, plan.postgres_deaths);
            fates.push(fate.meet(span, enough, [death; 2], &self.deaths, &lots, self.rng.fork()).boxed());
        }
        for gateway in &mut self.gateways {
            fates.push(mortal(gateway, plan, &town.journal, &lots).boxed());
        }
        lots.0.store(fates.len(), Ordering::Relaxed);
        let over = CancellationToken::new();
        let all = async {
            join_all(fates).await;
            over.cancel();
        };
        tokio::join!(all, feed(&town.load, plan.documents_per_s, &over));
    }

    /// Stops the gateways in good order; gives their exit codes.
    pub async fn stop(self) -> Vec<Option<i32>> {
        let mut codes = Vec::new();
        for gateway in self.gateways {
            codes.push(gateway.stop().await);
        }
        codes
    }
}

async fn mortal(gateway: &mut Gateway, plan: &Plan, journal: &Journal, lots: &Lots) {
    let mut deaths = 0;
    loop {
        gateway.round(&plan.gateway, journal).await;
        deaths += 1;
        if !lots.go_on(deaths, plan.gateway_deaths) {
            return;
        }
    }
}

/// Something beside the gateways that is killed in one way or the other.
struct Fate<'a, P, C> {
    part: &'a Arc<P>,
    /// In the second way, when true.
    crash: C,
    restart: fn(&P),
}

impl<P, C> Fate<'_, P, C>
where
    P: Send + Sync + 'static,
    C: Fn(&P, bool) + Copy + Send + Sync + 'static,
{
    async fn meet(
        self,
        span: &Span,
        enough: usize,
        ways: [Death; 2],
        all: &Deaths,
        lots: &Lots,
        mut rng: fastrand::Rng,
    ) {
        let Self { part, crash, restart } = self;
        let mut second = rng.bool();
        let mut deaths = 0;
        loop {
            tokio::time::sleep(span.life(&mut rng)).await;
            let dying = Arc::clone(part);
            blocking(move || crash(&dying, second)).await;
            all.note(ways[usize::from(second)]);
            second = !second;
            tokio::time::sleep(span.away(&mut rng)).await;
            let dead = Arc::clone(part);
            blocking(move || restart(&dead)).await;
            deaths += 1;
            if !lots.go_on(deaths, enough) {
                return;
            }
        }
    }
}

/// Lets documents be sent until it is over.
pub async fn feed(load: &Semaphore, documents_per_s: usize, over: &CancellationToken) {
    let tick = Duration::from_secs(1) / TICKS_PER_S as u32;
    while !over.is_cancelled() {
        if load.available_permits() < DOCUMENTS_WAITING_MAX {
            load.add_permits(documents_per_s / TICKS_PER_S);
        }
        tokio::time::sleep(tick).await;
    }
}

/// Does what blocks, aside.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
