//! `truc bench` at work: short measurements of every kind, each of which has to check out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect has failed")]

mod dossiers;
mod given;
#[path = "../support/nodes.rs"]
#[allow(dead_code, unused_imports, reason = "not every test binary uses all of it")]
mod nodes;
mod rabbit;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `truc bench --json` on data in a folder, which has to be empty again afterwards.
fn bench(arguments: &[&str]) -> Output {
    let data = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_truc"))
        .args(["bench", "--json", "--seed", "7", "--data"])
        .arg(data.path())
        .args(arguments)
        .output()
        .unwrap();
    assert!(is_empty(data.path()), "something is left in the data folder");
    output
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).unwrap().next().is_none()
}

/// The report of a measurement that has to check out.
fn verified(arguments: &[&str]) -> Value {
    let output = bench(arguments);
    let (report, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}\n{report}");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["verified"], true, "{report}");
    report
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {report}"))
}

#[test]
fn a_short_run_checks_out_and_says_all() {
    let report = verified(&["--organs", "16", "--documents", "2000"]);
    for key in ["throughput_per_s", "gateway_rss_mb", "gateway_cpu_s", "clients_cpu_s"] {
        assert!(number(&report, key) > 0.0, "{key} in {report}");
    }
    let latency = &report["latency_ms"];
    let [p50, p99, p999] = ["p50", "p99", "p999"].map(|key| number(latency, key));
    assert!(0.0 < p50 && p50 <= p99 && p99 <= p999, "{latency}");
    assert!(report["baseline_per_s"].is_null() && report["ratio"].is_null(), "{report}");
    let checks = &report["checks"];
    // A tenth of warm-up comes on top, and is checked too.
    for key in ["submitted", "accepted", "received", "receipted"] {
        assert_eq!(checks[key], 2_200, "{key} in {checks}");
    }
    for key in ["machine", "organs", "documents", "size_bytes", "window", "client_processes", "seed", "tls"] {
        assert!(!report[key].is_null(), "{key} in {report}");
    }
}

#[test]
fn a_rate_is_kept_for_a_time() {
    let report = verified(&["--organs", "4", "--seconds", "2", "--rate", "100", "--clients", "3"]);
    let throughput = number(&report, "throughput_per_s");
    assert!((60.0..110.0).contains(&throughput), "{report}");
}

#[test]
fn payloads_of_any_size_come_as_they_were_sent() {
    verified(&["--organs", "2", "--documents", "40", "--size", "1"]);
    verified(&["--organs", "2", "--documents", "6", "--size", "5000000", "--window", "2"]);
}

#[test]
fn waiting_deliveries_are_measured() {
    let report = verified(&["--waiting", "3000", "--organs", "4", "--documents", "1000", "--rounds", "1"]);
    assert_eq!(report["waiting"], 3_000);
    for key in ["fill_per_s", "rss_before_mb", "rss_filled_mb", "ready_in_s", "throughput_per_s", "ratio"] {
        assert!(number(&report, key) > 0.0, "{key} in {report}");
    }
}

#[test]
fn stalled_collectors_are_measured() {
    let arguments =
        ["--stalled", "3", "--organs", "4", "--documents", "1000", "--rounds", "1", "--window", "64"];
    let report = verified(&arguments);
    assert_eq!(report["stalled"], 3);
    for key in ["throughput_per_s", "free_per_s", "ratio"] {
        assert!(number(&report, key) > 0.0, "{key} in {report}");
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for arguments in [
        ["--organs", "1"],
        ["--window", "0"],
        ["--window", "1001"],
        ["--size", "0"],
        ["--clients", "17"],
        ["--documents", "0"],
        ["--rate", "0"],
        ["--rounds", "0"],
        ["--endpoint", "https://127.0.0.1:1"],
    ] {
        let output = bench(&arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty(), "{arguments:?}");
    }
}
