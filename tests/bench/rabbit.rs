//! The baseline, against a RabbitMQ node of the test's own.

use super::nodes::RabbitMq;
use super::{number, verified};

#[test]
fn the_baseline_checks_out_and_gives_a_ratio() {
    let node = RabbitMq::start();
    let arguments = ["--organs", "16", "--documents", "2000", "--rounds", "1", "--baseline-amqp", node.url()];
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
    let node = RabbitMq::start();
    let sizes = ["--dossiers", "3000", "--open", "50", "--rounds", "1", "--rabbitmq", node.url()];
    let report = verified(&sizes);
    let baseline = &report["baseline"];
    assert_eq!(baseline["checks"]["received"], 3_300, "{report}");
    assert_eq!(baseline["checks"]["verified"], true, "{report}");
    let (ours, theirs) = (&report["set_ups"][0]["live"]["per_s"], &baseline["live"]["per_s"]);
    let ratio = report["set_ups"][0]["ratio"].as_f64().unwrap();
    assert!((ratio - ours.as_f64().unwrap() / theirs.as_f64().unwrap()).abs() < 1e-9, "{report}");
}
