//! This node among the others: it says that it is there, hears what others have done, and takes off those that are silent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::stream::StreamExt;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;
use tokio_postgres::{AsyncMessage, Client};
use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::notes::{self, Heard};
use super::server::{Reading, Server};
use super::{OpenError, Options};
use crate::ledger::{Commit, Nodes};
use crate::metrics::Metrics;

/// A node says this many times that it is there before it counts as gone.
const BEATS: u32 = 5;
/// First half of the key of the advisory lock on a node's name: "node".
const NAME_LOCK: i32 = 0x6e6f_6465;
/// Between two attempts to have the name, or to connect.
const RETRY_DELAY: Duration = Duration::from_millis(100);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(1);
/// What the last words of a node that leaves may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Who this node is in the tables.
#[derive(Debug)]
pub(super) struct Membership {
    name: String,
    id: AtomicI64,
    joining: Mutex<()>,
    /// All that are at work, as of the last look.
    pub nodes: watch::Sender<Nodes>,
}

impl Membership {
    /// The number under which the node works now.
    pub fn id(&self) -> i64 {
        self.id.load(Ordering::Acquire)
    }

    /// Joins anew, unless that has happened since the node was known as `lost`.
    pub async fn join(&self, client: &Client, lost: i64) -> Result<(), Fault> {
        let _one_at_a_time = self.joining.lock().await;
        if self.id() == lost {
            // node.join
            let row =
                client.query_one("INSERT INTO node (name) VALUES ($1) RETURNING id", &[&self.name]).await?;
            self.id.store(row.try_get(0)?, Ordering::Release);
        }
        Ok(())
    }
}

/// Keeps this node among the others.
pub(super) struct Presence {
    pub membership: Arc<Membership>,
    pub heard: Arc<Heard>,
    server: Server,
    node_timeout: Duration,
    metrics: Arc<Metrics>,
    known: BTreeSet<i64>,
    connected: Option<(Client, Reading)>,
}

impl Presence {
    /// Joins. A process of the same name that is at work keeps this one out; one that is gone is taken off at once.
    pub async fn join(server: Server, options: &Options, metrics: Arc<Metrics>) -> Result<Self, OpenError> {
        let failed = |fault: Fault| OpenError::failed(options, &fault);
        let membership = Membership {
            name: options.node.clone(),
            id: AtomicI64::new(0),
            joining: Mutex::default(),
            nodes: watch::Sender::default(),
        };
        let mut presence = Self {
            membership: Arc::new(membership),
            heard: Arc::default(),
            server,
            node_timeout: options.node_timeout,
            metrics,
            known: BTreeSet::new(),
            connected: None,
        };
        let (client, reading) = presence.listen().await.map_err(failed)?;
        let patience = Instant::now() + options.node_timeout;
        while !presence.take_name(&client).await.map_err(failed)? {
            if Instant::now() > patience {
                return Err(OpenError::InUse { node: options.node.clone() });
            }
            tokio::time::sleep(RETRY_DELAY).await;
        }
        presence.replace(&client).await.map_err(failed)?;
        presence.connected = Some((client, reading));
        Ok(presence)
    }

    /// Takes the place of the process that had this name before.
    async fn replace(&self, client: &Client) -> Result<(), Fault> {
        // node.replace
        client.execute("DELETE FROM node WHERE name = $1", &[&self.membership.name]).await?;
        self.membership.join(client, 0).await?;
        self.say(client, &notes::of_anything(self.membership.id())).await
    }

    /// Keeps saying that this node is there until told to stop, then leaves. Connects again for as long as it takes.
    pub async fn keep(mut self, told: mpsc::Sender<Commit>, stop: CancellationToken) {
        let heard = Arc::clone(&self.heard);
        let relay = tokio::spawn(async move { while told.send(heard.next().await).await.is_ok() {} });
        stop.run_until_cancelled(self.stay()).await;
        relay.abort();
        if tokio::time::timeout(LEAVE_TIMEOUT, self.leave()).await.is_err() {
            tracing::warn!("the database was not told that this node leaves; others will miss it");
        }
    }

    async fn stay(&mut self) {
        let mut delay = RETRY_DELAY;
        let mut told = false;
        loop {
            let beat = self.beat().await;
            match beat {
                Ok(()) => {
                    (delay, told) = (RETRY_DELAY, false);
                    tokio::time::sleep(self.node_timeout / BEATS).await;
                }
                // The node's own commit holds its row at times.
                Err(fault) if fault.is_lock() => {}
                Err(fault) => {
                    if !told {
                        tracing::warn!(%fault, "this node cannot be heard by the others");
                    }
                    told = true;
                    self.connected = None;
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(RETRY_DELAY_MAX);
                }
            }
        }
    }

    async fn beat(&mut self) -> Result<(), Fault> {
        if self.connected.as_ref().is_none_or(|(client, _)| client.is_closed()) {
            let (client, reading) = self.listen().await?;
            if !self.take_name(&client).await? {
                tracing::warn!("another session holds this node's name; is another gateway named the same?");
            }
            self.connected = Some((client, reading));
            // Notes may have been said while nobody listened.
            self.heard.missed();
        }
        let Some((client, _)) = &self.connected else { return Ok(()) };
        let beat = tokio::time::timeout(
            self.node_timeout / 2,
            Self::look(client, &self.membership, self.node_timeout),
        );
        let now = beat.await.map_err(|_| Fault::Timeout)??;
        if self.known.iter().any(|node| !now.contains(node)) {
            tracing::info!(nodes = now.len(), "another node is gone");
            self.heard.missed();
        }
        self.metrics.ledger_nodes.set(now.len() as f64);
        let nodes = Nodes { this: self.membership.id(), all: now.iter().copied().collect() };
        self.membership.nodes.send_if_modified(|known| {
            let is_news = *known != nodes;
            *known = nodes;
            is_news
        });
        self.known = now;
        Ok(())
    }

    /// Says that this node is there, takes off those that are silent, and gives those that are left.
    async fn look(client: &Client, this: &Membership, timeout: Duration) -> Result<BTreeSet<i64>, Fault> {
        let id = this.id();
        // node.seen
        let seen =
            client.execute("UPDATE node SET seen_at = clock_timestamp() WHERE id = $1", &[&id]).await?;
        if seen == 0 {
            tracing::warn!("this node was silent too long and had been taken off the list; it joins anew");
            this.join(client, id).await?;
        }
        // node.take_off
        client
            .execute(
                "DELETE FROM node WHERE id IN (SELECT id FROM node WHERE id <> $1
                     AND seen_at < clock_timestamp() - $2 * interval '1 second' FOR UPDATE SKIP LOCKED)",
                &[&this.id(), &timeout.as_secs_f64()],
            )
            .await?;
        // node.list
        let rows = client.query("SELECT id FROM node", &[]).await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// Connects, and passes on what the other nodes say from now on.
    async fn listen(&self) -> Result<(Client, Reading), Fault> {
        let (client, mut unasked) = self.server.connect().await?;
        let (heard, membership) = (Arc::clone(&self.heard), Arc::clone(&self.membership));
        let reading = tokio::spawn(async move {
            while let Some(Ok(message)) = unasked.next().await {
                if let AsyncMessage::Notification(note) = message {
                    heard.note(note.payload(), membership.id());
                }
            }
        });
        let reading = Reading::of(reading);
        client.batch_execute(&format!("LISTEN {}", notes::CHANNEL)).await?;
        Ok((client, reading))
    }

    async fn take_name(&self, client: &Client) -> Result<bool, Fault> {
        // node.take_name
        let taken = client
            .query_one("SELECT pg_try_advisory_lock($1, hashtext($2))", &[&NAME_LOCK, &self.membership.name])
            .await?;
        Ok(taken.try_get(0)?)
    }

    async fn say(&self, client: &Client, note: &str) -> Result<(), Fault> {
        // node.say
        client.execute("SELECT pg_notify($1, $2)", &[&notes::CHANNEL, &note]).await?;
        Ok(())
    }

    /// What is left to do is everybody's from now on.
    async fn leave(&mut self) {
        let Some((client, _)) = &self.connected else { return };
        let id = self.membership.id();
        // node.leave
        let left = client.execute("DELETE FROM node WHERE id = $1", &[&id]).await;
        if left.is_ok() && self.say(client, &notes::of_anything(id)).await.is_ok() {
            return;
        }
        tracing::warn!("the database was not told that this node leaves; others will miss it");
    }
}
