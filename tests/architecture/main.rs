//! Guards the shape: which part may use which, and where outside libraries may be used.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The parts of `src`, each with those it may use. `lib.rs` and `main.rs` may use everything.
const PARTS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("metrics", &["domain"]),
    ("config", &["domain"]),
    ("edxml", &["domain"]),
    ("directory", &["domain"]),
    ("allowances", &["domain"]),
    ("identity", &["domain", "metrics"]),
    ("amqp", &["domain", "metrics", "identity"]),
    ("ledger", &["domain", "metrics"]),
    ("broker", &["domain", "ledger", "amqp", "metrics"]),
    ("proto", &["domain", "ledger"]),
    ("portal", &["domain", "proto"]),
    ("dossiers", &["domain", "ledger", "proto", "metrics"]),
    ("delivery", &["domain", "allowances", "ledger", "broker", "metrics"]),
    ("retention", &["domain", "ledger", "metrics"]),
    ("redirect", &["domain", "ledger", "directory", "delivery"]),
    ("duty", &["domain", "ledger", "delivery"]),
    ("intake", &["domain", "allowances", "ledger", "proto", "directory", "edxml", "delivery", "dossiers"]),
    ("submission", &["domain", "ledger", "proto", "directory", "delivery", "dossiers", "intake", "metrics"]),
    (
        "push",
        &["domain", "ledger", "broker", "proto", "directory", "delivery", "intake", "identity", "metrics"],
    ),
    ("ops", &["domain", "config", "metrics"]),
    (
        "api",
        &[
            "domain",
            "allowances",
            "ledger",
            "proto",
            "directory",
            "delivery",
            "intake",
            "submission",
            "identity",
            "dossiers",
            "push",
            "metrics",
        ],
    ),
    (
        "bridge",
        &[
            "domain",
            "ledger",
            "proto",
            "directory",
            "delivery",
            "intake",
            "submission",
            "metrics",
            "amqp",
            "broker",
            "dossiers",
        ],
    ),
    (
        "app",
        &[
            "domain",
            "allowances",
            "ledger",
            "broker",
            "directory",
            "delivery",
            "intake",
            "submission",
            "identity",
            "metrics",
            "api",
            "config",
            "ops",
            "amqp",
            "bridge",
            "redirect",
            "dossiers",
            "retention",
            "push",
            "duty",
        ],
    ),
    ("client", &["domain", "identity", "proto"]),
    ("sandbox", &["domain", "identity", "proto", "client", "config", "app", "directory", "ops"]),
    ("bench", &["domain", "identity", "proto", "client", "config", "directory", "amqp"]),
    (
        "cli",
        &[
            "domain",
            "allowances",
            "identity",
            "proto",
            "client",
            "config",
            "app",
            "directory",
            "ops",
            "metrics",
            "bench",
            "sandbox",
            "edxml",
            "amqp",
            "bridge",
            "portal",
        ],
    ),
];

/// Libraries that stay where they belong: what is written in code, and the parts or files it may stand in.
const PLACES: &[(&str, &[&str])] = &[
    ("rusqlite::", &["ledger/sqlite", "dossiers/sqlite"]),
    ("tokio_postgres::", &["ledger/postgres", "dossiers/postgres", "bench/postgres"]),
    ("tonic::", &["api", "proto", "push", "client", "identity", "cli", "sandbox", "bench"]),
    ("deadpool_postgres::", &["ledger/postgres"]),
    ("lapin::", &["amqp", "broker/rabbit", "bench/amqp", "bridge"]),
    ("std::env", &["config"]),
    ("quick_xml::", &["edxml"]),
    ("axum::", &["ops"]),
    ("rcgen::", &["identity/pki"]),
];

/// What must not be in the domain.
const NOT_IN_DOMAIN: &[&str] = &["async ", ".await", "tokio", "std::net", "std::fs"];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// The code of each file by its path below `src`, without comments and unit tests.
fn code() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let strip = |file: &PathBuf| {
        let path = file.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(file).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap().to_owned();
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        (path, lines.collect::<Vec<_>>().join("\n"))
    };
    files.iter().map(strip).filter(|(path, _)| !path.ends_with("tests.rs")).collect()
}

fn part(path: &str) -> &str {
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The parts a file names by `crate::`.
fn used(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        used.push(name);
    }
    used
}

#[test]
fn each_part_uses_only_what_is_below_it() {
    let allowed: BTreeMap<_, _> = PARTS.iter().copied().collect();
    let mut faults = Vec::new();
    for (path, code) in code() {
        let part = part(&path);
        if matches!(part, "lib" | "main") {
            continue;
        }
        let Some(may) = allowed.get(part) else {
            faults.push(format!("{path}: part {part} has no place in the order; give it one in PARTS"));
            continue;
        };
        for name in used(&code) {
            if name != part && !may.contains(&name.as_str()) {
                faults.push(format!("{path}: {part} may not use {name}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_order_of_the_parts_has_no_circle() {
    // Each part may use only parts that stand before it, or that reach no part that uses it.
    fn reaches(from: &str, to: &str, allowed: &BTreeMap<&str, &[&str]>) -> bool {
        allowed[from].iter().any(|next| *next == to || reaches(next, to, allowed))
    }
    let allowed: BTreeMap<_, _> = PARTS.iter().copied().collect();
    for (part, _) in PARTS {
        assert!(!reaches(part, part, &allowed), "{part} uses itself in a circle");
    }
}

#[test]
fn libraries_stay_where_they_belong() {
    let mut faults = Vec::new();
    for (path, code) in code() {
        for (library, places) in PLACES {
            let here = places.iter().any(|place| {
                path.strip_prefix(place).is_some_and(|rest| rest.starts_with('/') || rest.starts_with('.'))
            });
            if code.contains(library) && !here {
                faults.push(format!("{path}: {library} belongs to {places:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_domain_is_pure() {
    for (path, code) in code() {
        if part(&path) == "domain" {
            for word in NOT_IN_DOMAIN {
                assert!(!code.contains(word), "{path}: {word:?} in the domain");
            }
        }
    }
}

#[test]
fn there_are_no_mod_rs_files_and_no_unfinished_marks() {
    let marks = ["todo", "unimplemented"].map(|name| format!("{name}!("));
    for (path, code) in code() {
        assert!(!path.ends_with("mod.rs"), "{path}");
        for mark in &marks {
            assert!(!code.contains(mark.as_str()), "{path}: {mark}");
        }
    }
}
