//! The log of dossiers, and the month of the whole country.

use serde_json::Value;

use super::{bench, verified};

fn positive(report: &Value, pointers: &[&str]) {
    for pointer in pointers {
        let figure = report.pointer(pointer).and_then(Value::as_f64);
        assert!(figure.is_some_and(|figure| figure > 0.0), "{pointer} in {report}");
    }
}

#[test]
fn the_log_is_measured_from_empty_on_and_with_steps_stored() {
    let sizes = ["--dossiers", "3000", "--stored", "5000", "--open", "50"];
    let report = verified(&[&sizes[..], &["--organs", "3", "--rounds", "2", "--window", "600"]].concat());
    let [log] = report["set_ups"].as_array().unwrap().as_slice() else { panic!("{report}") };
    positive(log, &["/live/per_s", "/live/server_us", "/live/latency_ms/p50", "/read_per_s", "/read_ratio"]);
    positive(log, &["/stored/fill_per_s", "/stored/live/per_s", "/stored/ratio", "/stored/past_ratio"]);
    // A tenth of warm-up comes on top of each round.
    assert_eq!(log["stored"]["past_events"], 5_000 + 2 * 3_300, "{report}");
    assert_eq!(log["live"]["rounds_per_s"].as_array().unwrap().len(), 2);
    assert!(log["ratio"].is_null() && report["baseline"].is_null(), "{report}");
}

#[test]
fn a_share_of_the_month_has_its_documents_and_its_steps() {
    let report = verified(&["--profile", "national-month", "--scale", "0.0002"]);
    assert_eq!((&report["sent_documents"], &report["steps"]), (&252.into(), &1_920.into()), "{report}");
    assert_eq!(report["document_checks"]["receipted"], 252, "{report}");
    assert_eq!(report["step_checks"]["received"], 1_920, "{report}");
    positive(&report, &["/times_real_time", "/document_bytes", "/took_s"]);
}

#[test]
fn what_cannot_be_measured_of_them_is_refused() {
    for arguments in [
        &["--dossiers", "0"][..],
        &["--dossiers", "100", "--open", "0"],
        &["--dossiers", "100", "--open", "7919"],
        &["--dossiers", "100", "--size", "100"],
        &["--dossiers", "100", "--window", "8001"],
        &["--profile", "national-month", "--scale", "0"],
        &["--profile", "national-month", "--set-up", "all"],
    ] {
        let output = bench(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    }
}
