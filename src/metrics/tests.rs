use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::*;

/// `docs/metrics.md` as the table has it.
fn page() -> String {
    let mut page = String::from(
        "# Metrics\n\n\
         What `/metrics` shows, in Prometheus's text form. This page is written from the table in `src/metrics.rs`; a test\n\
         compares the two. No organ, message or dossier is ever a label here.\n\n\
         | name | kind | unit | label | what it tells |\n|---|---|---|---|---|\n",
    );
    let table = definitions();
    for Definition { name, kind, unit, label, help, .. } in &table {
        let label = if label.is_empty() { String::new() } else { format!("`{label}`") };
        writeln!(page, "| `{name}` | {kind} | {unit} | {label} | {help} |").unwrap();
    }
    page.push_str(
        "\n## Per mailbox\n\n\
         `/metrics/per-object` shows these gauges for each mailbox with open deliveries, with the label `organ`. It asks the ledger for all\n\
         of them, so scrape it less often.\n\n| name | what it tells |\n|---|---|\n",
    );
    for (name, help, _) in per_object::FIGURES {
        writeln!(page, "| `{name}` | {help} |").unwrap();
    }
    page.push_str(
        "\n## Per consumer of dossiers\n\n\
         The same page shows these gauges for each share of each consumer, with the labels `organ`, `consumer` and `share`.\n\n\
         | name | what it tells |\n|---|---|\n",
    );
    for (name, help, _) in per_object::CONSUMER_FIGURES {
        writeln!(page, "| `{name}` | {help} |").unwrap();
    }
    page.push_str("\n## Values of the labels\n\n");
    for Definition { name, label, values, .. } in table.iter().filter(|d| d.values.len() > 1) {
        let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
        writeln!(page, "- `{name}`, `{label}`: {}", values.join(", ")).unwrap();
    }
    page.push_str("\n## Bounds of the buckets\n\n");
    for Definition { name, buckets, .. } in table.iter().filter(|d| d.kind == Kind::Histogram) {
        let bounds: Vec<String> = buckets.iter().map(f64::to_string).collect();
        writeln!(page, "- `{name}`: {}", bounds.join(", ")).unwrap();
    }
    page
}

#[test]
fn the_page_is_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let expected = page();
    let written = fs::read_to_string(root.join("docs/metrics.md")).unwrap_or_default();
    if written != expected {
        fs::create_dir_all(root.join("target")).unwrap();
        fs::write(root.join("target/metrics.md"), expected).unwrap();
        panic!("docs/metrics.md differs from the table; the right page is in target/metrics.md");
    }
}

#[test]
fn names_follow_the_habits_of_prometheus() {
    let table = definitions();
    for Definition { name, kind, unit, buckets, help, .. } in &table {
        assert!(name.starts_with("truc_") && help.ends_with('.'), "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        assert_eq!(!buckets.is_empty(), *kind == Kind::Histogram, "{name}");
        assert!(*unit == "count" || name.ends_with(&format!("_{unit}")), "{name} hides its unit");
        assert_eq!(table.iter().filter(|other| other.name == *name).count(), 1, "{name} twice");
    }
}

#[test]
fn every_value_of_a_label_has_its_own_series() {
    fn look<L: Label>() {
        for (place, value) in L::ALL.iter().enumerate() {
            assert_eq!(value.index(), place, "{}", value.as_str());
        }
    }
    look::<SubmitResult>();
    look::<Reason>();
    look::<ReceiptKind>();
    look::<OpenState>();
    look::<SettlementOutcome>();
    look::<HandshakeResult>();
    look::<StallReason>();
    look::<Version>();
}

#[test]
fn what_is_counted_is_shown() {
    let (metrics, exposition) = Metrics::exported();
    metrics.submissions.of(SubmitResult::Accepted).increment(3);
    metrics.refusals.of(Reason::MailboxFull).increment(1);
    metrics.deliveries_open.of(OpenState::InFlight).set(2.0);
    metrics.commit_seconds.record(0.003);
    let page = exposition.render();
    for line in [
        "# HELP truc_submissions_total Submissions answered, by the answer.",
        "# TYPE truc_submissions_total counter",
        "truc_submissions_total{result=\"accepted\"} 3",
        "truc_submissions_total{result=\"refused\"} 0",
        "truc_refusals_total{reason=\"MAILBOX_FULL\"} 1",
        "truc_deliveries_open{state=\"in_flight\"} 2",
        "# TYPE truc_commit_seconds histogram",
        "truc_commit_seconds_bucket{le=\"0.0025\"} 0",
        "truc_commit_seconds_bucket{le=\"0.005\"} 1",
        concat!("truc_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
    ] {
        assert!(page.lines().any(|shown| shown == line), "no line {line} in\n{page}");
    }
}

#[test]
fn each_mailbox_is_shown_by_its_organ() {
    let mailbox = per_object::Mailbox { organ: "H49.1".into(), ready: 3, unacked: 2, ..Default::default() };
    let page = per_object::render(&[mailbox]);
    for line in [
        "# TYPE truc_mailbox_messages_ready gauge",
        "truc_mailbox_messages_ready{organ=\"H49.1\"} 3",
        "truc_mailbox_messages{organ=\"H49.1\"} 5",
    ] {
        assert!(page.lines().any(|shown| shown == line), "no line {line} in\n{page}");
    }
}

#[test]
fn two_sets_do_not_share_their_counts() {
    let (metrics, _) = Metrics::exported();
    let (_, other) = Metrics::exported();
    metrics.offers.increment(1);
    assert!(other.render().contains("truc_offers_total 0"));
}
