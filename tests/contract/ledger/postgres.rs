//! The PostgreSQL ledger under test, on a server of this process's own, and what only it promises.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::NoTls;
use truc::ledger::postgres::{Host, Options, PostgresLedger, Tls};
use truc::ledger::{Acceptance, Accepted, Commits, Ledger, StepAnswers, StepRequest};
use truc::metrics::Metrics;

use crate::support::soon;

use super::{LedgerUnderTest, Terms};

mod cuts;
mod nodes;
mod outages;
mod proxy;
mod starting;
mod tls;

/// A server of this process's own. It stops when the process is gone.
#[derive(Debug)]
pub struct Server {
    pub port: u16,
}

/// Folders that a script starts the server in, and stops it.
fn script(arguments: &[&str]) -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres");
    let output = Command::new(script).args(arguments).output().unwrap();
    output.status.success()
}

impl Server {
    /// The one all ledgers under test share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&TempDir::new().unwrap().keep()))
    }

    /// Starts one in a folder, on a port that happens to be free.
    pub fn start(folder: &Path) -> Self {
        let pid = std::process::id().to_string();
        let started = (0..20).find_map(|_| {
            let port = fastrand::u16(10_000..32_000);
            let arguments = ["start", folder.to_str().unwrap(), &port.to_string(), &pid];
            script(&arguments).then_some(Self { port })
        });
        started.expect("a port is free; otherwise the folder's log says why")
    }

    /// Says something to the server as its administrator.
    pub async fn say(&self, database: &str, statements: &str) {
        let address = format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.port);
        let (client, connection) = tokio_postgres::connect(&address, NoTls).await.unwrap();
        let reading = tokio::spawn(connection);
        client.batch_execute(statements).await.unwrap();
        drop(client);
        reading.await.unwrap().unwrap();
    }
}

/// A name nothing else of this server has.
pub fn unique(what: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{what}{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A database of its own. Each opening has a role of its own, so that a process can be made to vanish.
pub struct Postgres {
    pub server: &'static Server,
    pub database: String,
    pub terms: Terms,
    role: Mutex<String>,
}

impl Postgres {
    pub async fn on(server: &'static Server, terms: Terms) -> Self {
        let database = unique("ledger");
        server.say("postgres", &format!("CREATE DATABASE {database}")).await;
        Self { server, database, terms, role: Mutex::default() }
    }

    /// For a process of this name.
    pub async fn options(&self, node: &str) -> Options {
        let role = unique("role");
        self.server.say("postgres", &format!("CREATE ROLE {role} SUPERUSER LOGIN")).await;
        Options {
            node: node.to_owned(),
            hosts: vec![Host { name: "127.0.0.1".to_owned(), port: self.server.port }],
            database: self.database.clone(),
            user: role,
            password_file: None,
            tls: Tls::Off,
            pool_max: 3,
            pool_wait_timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(5),
            tcp_user_timeout: Duration::from_secs(10),
            retry_max: Duration::from_secs(3),
            node_timeout: Duration::from_secs(10),
            commit_batch_max: 64,
            commit_bytes_max: 1 << 20,
            queue_max: 16,
            mailbox_deliveries_max: self.terms.mailbox_deliveries_max,
            policy: self.terms.policy,
            outbox: true,
        }
    }

    /// A process of this name, at work.
    pub async fn node(&self, name: &str) -> Node {
        let options = self.options(name).await;
        Node::open(options).await
    }

    /// Cuts off the process that came as this role, for good.
    pub async fn cut_off(&self, role: &str) {
        self.server.say("postgres", &format!("ALTER ROLE {role} NOLOGIN")).await;
        let end =
            format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = '{role}'");
        self.server.say("postgres", &end).await;
    }
}

/// One of several nodes on a database.
pub struct Node {
    pub commits: Commits,
    pub ledger: Arc<dyn Ledger>,
    pub role: String,
}

impl Node {
    pub async fn open(options: Options) -> Self {
        let (ledger, commits) = PostgresLedger::open(&options, unobserved()).await.unwrap();
        Self { commits, ledger: Arc::new(ledger), role: options.user }
    }

    /// Waits for the word that something may have been missed.
    pub async fn told_to_look(&mut self) {
        while !soon(self.commits.recv()).await.unwrap().missed {}
    }

    /// Accepts letters that must be accepted.
    pub async fn accepted(&self, letters: Vec<Acceptance>) -> Vec<Accepted> {
        let answers = soon(soon(self.ledger.accept(letters)).await.unwrap()).await.unwrap();
        answers.into_iter().map(|answer| answer.unwrap()).collect()
    }

    pub async fn steps(&self, requests: Vec<StepRequest>) -> StepAnswers {
        soon(soon(self.ledger.step(requests)).await.unwrap()).await.unwrap()
    }
}

pub fn unobserved() -> Arc<Metrics> {
    Arc::new(Metrics::unobserved())
}

impl LedgerUnderTest for Postgres {
    /// As autovacuum does.
    async fn tidied(&self) {
        self.server.say(&self.database, "VACUUM").await;
    }

    async fn create(terms: Terms) -> Self {
        Self::on(Server::shared(), terms).await
    }

    async fn open(&self) -> (Arc<dyn Ledger>, Commits) {
        let options = self.options("node").await;
        options.user.clone_into(&mut self.role.lock().unwrap());
        let (ledger, commits) = PostgresLedger::open(&options, unobserved()).await.unwrap();
        (Arc::new(ledger), commits)
    }

    /// The database as a process leaves it that is cut off in the middle of whatever it does.
    async fn killed(self, ledger: Arc<dyn Ledger>) -> Self {
        let role = self.role.lock().unwrap().clone();
        self.cut_off(&role).await;
        // It still tries for a while to reach the database.
        std::thread::spawn(move || drop(ledger));
        self
    }
}
