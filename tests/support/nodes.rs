//! Private nodes of RabbitMQ and PostgreSQL: each in a temporary folder, on free ports of loopback. They end with the test's
//! process, however that ends.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

mod postgres;
mod rabbitmq;

pub use postgres::Postgres;
pub use rabbitmq::RabbitMq;

/// Ports in a row that a node may use.
const PORTS: u16 = 4;
/// Below the ports the system gives away by itself.
const FIRST_PORT: u16 = 10_000;
const LAST_PORT: u16 = 32_000;
/// Somebody else may take a port between the look and the start.
const STARTS_MAX: usize = 5;

/// A node, started and stopped by its script in `tests`.
struct Node {
    script: PathBuf,
    port: u16,
    /// What the script says of a node that is up.
    url: String,
    // Ends the node before the folder goes.
    _guard: Guard,
    dir: TempDir,
}

impl Node {
    /// Starts a node and waits until it takes connections.
    fn start(script: &str, stop: &'static [&'static str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
        let mut failures = String::new();
        for _ in 0..STARTS_MAX {
            let dir = tempfile::Builder::new().prefix("truc-node-").tempdir().unwrap();
            // The node may be another user's.
            std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
            let guard = Guard::over(&script, dir.path(), stop);
            let port = free_ports();
            match order(&script, "start", dir.path(), &[&port.to_string()]) {
                Ok(url) => return Self { script, port, url, _guard: guard, dir },
                Err(said) => failures.push_str(&said),
            }
        }
        panic!("{} starts failed:\n{failures}", script.display());
    }

    /// Gives the script another order about this node.
    fn order(&self, word: &str, more: &[&str]) -> String {
        order(&self.script, word, self.dir.path(), more).unwrap_or_else(|said| panic!("{word}: {said}"))
    }

    /// Starts the node again, with what it had.
    fn restart(&self) {
        self.order("start", &[&self.port.to_string()]);
    }
}

/// Gives the script an order; gives what it says.
fn order(script: &Path, word: &str, dir: &Path, more: &[&str]) -> Result<String, String> {
    let said = Command::new(script).arg(word).arg(dir).args(more).stdin(Stdio::null()).output().unwrap();
    match said.status.success() {
        true => Ok(String::from_utf8(said.stdout).unwrap().trim().to_owned()),
        false => Err(String::from_utf8_lossy(&said.stderr).into_owned()),
    }
}

/// The first of some ports in a row that nobody has.
fn free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let places = (LAST_PORT - FIRST_PORT) / PORTS;
    let firsts = std::iter::repeat_with(|| FIRST_PORT + fastrand::u16(..places) * PORTS);
    firsts.take(1_000).find(|first| (*first..first + PORTS).all(is_free)).unwrap()
}

/// Waits for the end of the test's process at the other end of a pipe, then ends the node and removes its folder.
struct Guard(Child);

impl Guard {
    fn over(script: &Path, dir: &Path, stop: &[&str]) -> Self {
        // Called as SCRIPT stop DIR ...
        let guard = Command::new("sh")
            .args(["-c", "read -r _; \"$@\"; rm -rf \"$3\"", "guard"])
            .arg(script)
            .arg("stop")
            .arg(dir)
            .args(stop)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal for the test is not for its guard.
            .process_group(0)
            .spawn();
        Self(guard.unwrap())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // The node has ended then, or the script could not end it.
        let _ = self.0.wait();
    }
}
