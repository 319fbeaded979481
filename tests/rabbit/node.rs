//! A RabbitMQ node of the test's own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;
use truc::amqp::Options;

/// The node. However the test ends, it is stopped and its folder goes.
pub struct Node {
    folder: PathBuf,
    pub port: u16,
    // Closed when this process is gone, whatever ended it; then the caretaker stops the node.
    line: Option<ChildStdin>,
    caretaker: Child,
}

impl Node {
    /// A node as it comes.
    pub fn start() -> Self {
        Self::start_with(|_, _| String::new())
    }

    /// A node with more in its configuration, which may name files in its folder and ports after the first three of its own.
    pub fn start_with(extra: impl Fn(&Path, u16) -> String) -> Self {
        let started = (0..5).find_map(|_| {
            let folder = TempDir::new().unwrap().keep();
            let port = free_ports();
            std::fs::write(folder.join("extra.conf"), extra(&folder, port)).unwrap();
            Self::try_start(folder, port)
        });
        started.expect("RabbitMQ starts; tests/install installs it")
    }

    fn try_start(folder: PathBuf, port: u16) -> Option<Self> {
        let watch = r#"echo ready; cat >/dev/null; "$0" stop "$1"; rm -rf "$1""#;
        let mut caretaker = Command::new("sh")
            .args(["-c", watch])
            .arg(script())
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(caretaker.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let line = caretaker.stdin.take().unwrap();
        let node = Self { folder, port, line: Some(line), caretaker };
        node.run_again().then_some(node)
    }

    /// Starts it again after it was stopped or killed, as it was. True when it is up.
    pub fn run_again(&self) -> bool {
        let mut start = Command::new(script());
        start.arg("start").arg(&self.folder).arg(self.port.to_string());
        start.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).status().unwrap().success()
    }

    /// Stops it in good order.
    pub fn stop(&self) {
        assert!(Command::new(script()).arg("stop").arg(&self.folder).status().unwrap().success());
    }

    /// Kills it where it stands.
    pub fn kill(&self) {
        let pid = std::fs::read_to_string(self.folder.join("pid")).unwrap();
        assert!(Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap().success());
        while Command::new("kill").args(["-0", pid.trim()]).stderr(Stdio::null()).status().unwrap().success()
        {
            std::thread::yield_now();
        }
    }

    /// Asks it something, or tells it.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let mut ctl = Command::new(script());
        let done = ctl.arg("ctl").arg(&self.folder).args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{told}{}", String::from_utf8_lossy(&done.stderr));
        told
    }

    /// How to connect to it.
    pub fn options(&self) -> Options {
        Options { uris: vec![format!("amqp://127.0.0.1:{}", self.port)], ..Options::default() }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.line.take());
        let _ended = self.caretaker.wait();
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rabbitmq")
}

/// The first of eight ports in a row that nobody has; below those the system gives away by itself.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    loop {
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let first = 10_240 + (std::process::id() as u16).wrapping_mul(7).wrapping_add(turn * 13) % 2_600 * 8;
        if (first..first + 8).all(is_free) {
            return first;
        }
    }
}
