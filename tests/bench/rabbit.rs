//! The baseline, against a RabbitMQ node of the test's own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{number, verified};

struct Node {
    folder: TempDir,
    url: String,
}

impl Node {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_ports().to_string();
        let started = Command::new(script()).arg("start").arg(folder.path()).arg(port).output().unwrap();
        let errors = String::from_utf8_lossy(&started.stderr).into_owned();
        assert!(started.status.success(), "{errors}");
        Self { folder, url: String::from_utf8(started.stdout).unwrap().trim().to_owned() }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let stopped = Command::new(script()).arg("stop").arg(self.folder.path()).status();
        assert!(std::thread::panicking() || stopped.unwrap().success());
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rabbitmq")
}

/// The first of three ports in a row that nobody has; below those the system gives away by itself.
fn free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = 20_000 + (std::process::id() % 3_000) as u16 * 4;
    (first..32_000).step_by(4).find(|port| (*port..*port + 3).all(is_free)).unwrap()
}

#[test]
fn the_baseline_checks_out_and_gives_a_ratio() {
    let node = Node::start();
    let arguments = ["--organs", "16", "--documents", "2000", "--rounds", "1", "--baseline-amqp", &node.url];
    let report = verified(&arguments);
    let (ours, theirs) = (number(&report, "throughput_per_s"), number(&report, "baseline_per_s"));
    assert!(ours > 0.0 && theirs > 0.0, "{report}");
    assert!((number(&report, "ratio") - ours / theirs).abs() < 1e-9, "{report}");
    assert_eq!(report["baseline_checks"]["received"], 2_200, "{report}");
    assert_eq!(report["baseline_checks"]["verified"], true, "{report}");
    assert!(!report.to_string().contains("guest"), "a password is told");
}

#[test]
fn steps_of_dossiers_are_set_beside_the_same_in_a_queue() {
    let node = Node::start();
    let sizes = ["--dossiers", "3000", "--open", "50", "--rounds", "1", "--rabbitmq", &node.url];
    let report = verified(&sizes);
    let baseline = &report["baseline"];
    assert_eq!(baseline["checks"]["received"], 3_300, "{report}");
    assert_eq!(baseline["checks"]["verified"], true, "{report}");
    let (ours, theirs) = (&report["set_ups"][0]["live"]["per_s"], &baseline["live"]["per_s"]);
    let ratio = report["set_ups"][0]["ratio"].as_f64().unwrap();
    assert!((ratio - ours.as_f64().unwrap() / theirs.as_f64().unwrap()).abs() < 1e-9, "{report}");
}
