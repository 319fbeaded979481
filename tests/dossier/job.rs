//! What one system of the scenario is: a process of its own, this test program called again with a file that says which system it is.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use truc::identity::client::ClientFiles;

use crate::plan::{self, MINISTRIES, Plan};
use crate::{publisher, subscriber};

/// Says in the environment where the file is.
pub const VARIABLE: &str = "TRUC_DOSSIERS_JOB";
/// The test that is such a process.
pub const TEST: &str = "job::a_system_of_the_scenario";
/// What the process is told when nothing more will come.
pub const END: &str = "end";
/// What it says when it has published all.
pub const PUBLISHED: &str = "published";
/// What it says, with a number, of how many steps it was answered.
pub const ANSWERED: &str = "answered ";

/// What a system does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Publishes its dossiers.
    Province,
    /// Publishes its own, and follows those of its procedures everywhere.
    Ministry,
    /// Follows all, with its own cursor.
    Portal,
    /// Follows all by two shares of a consumer, whose places the gateway keeps.
    Statistics,
}

/// One system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    pub role: Role,
    pub organ: String,
    pub plan: Plan,
    /// How long the gateway holds a step.
    pub hold: Duration,
    /// The file with the addresses of the gateways.
    pub addresses: PathBuf,
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Where its journals are, but for the end of their names.
    pub journal: PathBuf,
}

impl Job {
    /// What it publishes, and what it is shown.
    pub fn journal(&self, of: &str) -> PathBuf {
        self.journal.with_extension(of)
    }

    /// Its place among the owners of dossiers.
    pub fn owner(&self, owners: &[String]) -> Option<usize> {
        owners.iter().position(|owner| *owner == self.organ)
    }

    /// The procedures it follows.
    pub fn procedures(&self) -> Vec<usize> {
        let ministry = MINISTRIES.iter().position(|ministry| *ministry == self.organ);
        ministry.map(|ministry| plan::procedures_of(ministry).collect()).unwrap_or_default()
    }

    /// Its certificates.
    pub fn files(&self) -> ClientFiles {
        ClientFiles { ca: self.ca.clone(), certificate: self.certificate.clone(), key: self.key.clone() }
    }

    async fn work(&self, ended: watch::Receiver<bool>) {
        match self.role {
            Role::Province => publisher::publish(self).await,
            Role::Ministry => {
                tokio::join!(publisher::publish(self), subscriber::follow(self, ended));
            }
            Role::Portal => subscriber::follow(self, ended).await,
            Role::Statistics => subscriber::count(self, ended).await,
        }
    }
}

/// Tells who has started this process.
pub fn tell(what: &str) {
    std::io::stderr().write_all(format!("{what}\n").as_bytes()).unwrap();
}

/// A system of the scenario, when this program was called to be one.
#[test]
fn a_system_of_the_scenario() {
    let Some(file) = crate::variable(VARIABLE) else { return };
    let job: Job = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let (said, ended) = watch::channel(false);
    std::thread::spawn(move || listen(&said));
    let gone = gone(ended.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::select! {
            () = job.work(ended) => {}
            () = gone => panic!("{}: who started this process has gone", job.organ),
        }
    });
}

/// Passes on that nothing more will come, until nobody is there any more.
fn listen(said: &watch::Sender<bool>) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        said.send_replace(line == END);
    }
}

/// Waits until nobody is there any more.
async fn gone(mut ended: watch::Receiver<bool>) {
    while ended.changed().await.is_ok() {}
}
