//! The gateway in one of its set-ups, with as many nodes as it has.

use std::time::{Duration, Instant};

use super::backing::{Backing, Servers};
use super::error::Error;
use super::gateway::{Gateway, Site};
use super::plan::Door;
use super::set_up::SetUp;

/// Nodes at work. Killed when dropped; what they stand on is removed by [`Deployment::remove`] only.
pub struct Deployment<'a> {
    site: &'a Site,
    name: String,
    set_up: SetUp,
    backing: Backing,
    /// The nodes.
    pub nodes: Vec<Gateway>,
    /// How to enter, by any of them.
    pub door: Door,
    /// From the start of the first process until all were ready.
    pub ready_in: Duration,
}

impl<'a> Deployment<'a> {
    /// Starts a set-up on an empty ledger.
    pub async fn start(
        site: &'a Site,
        name: &str,
        set_up: SetUp,
        servers: Servers<'_>,
    ) -> Result<Self, Error> {
        let backing = Backing::make(set_up, servers).await?;
        let door = Door { endpoints: Vec::new(), pki: site.pki() };
        let (nodes, ready_in) = (Vec::new(), Duration::ZERO);
        let mut this = Self { site, name: name.to_owned(), set_up, backing, nodes, door, ready_in };
        match this.start_nodes().await {
            Ok(()) => Ok(this),
            Err(error) => {
                // What went wrong before is the better thing to tell.
                let _left = this.remove().await.is_err();
                Err(error)
            }
        }
    }

    /// Stops all nodes in good order, and starts them again on what they left.
    pub async fn restart(&mut self) -> Result<(), Error> {
        for node in self.nodes.drain(..) {
            node.stop().await?;
        }
        self.start_nodes().await
    }

    /// Stops all nodes in good order, and removes their ledger and what they stood on.
    pub async fn remove(mut self) -> Result<(), Error> {
        let mut stopped = Ok(());
        for node in self.nodes.drain(..) {
            let home = node.home.clone();
            stopped = stopped.and(node.stop().await);
            stopped = stopped.and(std::fs::remove_dir_all(&home).map_err(Error::system(home.display())));
        }
        self.backing.remove(&self.site.roll.organs).await.and(stopped)
    }

    async fn start_nodes(&mut self) -> Result<(), Error> {
        let started = Instant::now();
        let (site, backing) = (self.site, &self.backing);
        let nodes = (1..=self.set_up.nodes()).map(|number| {
            let name = format!("{}-{number}", self.name);
            async move { site.start_with(&name, |config, home| backing.configure(config, home)).await }
        });
        let nodes = futures_util::future::try_join_all(nodes).await?;
        self.ready_in = started.elapsed();
        self.door.endpoints = nodes.iter().flat_map(|node| node.door.endpoints.clone()).collect();
        self.nodes = nodes;
        Ok(())
    }
}
