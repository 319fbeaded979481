//! The help of every command, as it was when somebody last looked at it. `TRUC_TESTS_UPDATE=1` writes it anew.

use std::path::Path;

use crate::support::run;

const COMMANDS: [&str; 56] = [
    "",
    "sandbox",
    "serve",
    "drain",
    "check-config",
    "pki",
    "pki init",
    "pki issue",
    "pki revoke",
    "pki show",
    "send",
    "replace",
    "recall",
    "collect",
    "status",
    "track",
    "receipts",
    "overdue",
    "link",
    "link set",
    "link show",
    "link delete",
    "directory",
    "directory show",
    "directory resolve",
    "directory plan",
    "directory apply",
    "directory watch",
    "dossier",
    "dossier publish",
    "dossier follow",
    "dossier show",
    "dossier list",
    "dossier consumers",
    "dossier compare",
    "dead",
    "dead list",
    "dead show",
    "dead replay",
    "dead discard",
    "hold",
    "hold set",
    "hold release",
    "hold list",
    "organs",
    "resolve",
    "limits",
    "amqp",
    "amqp users",
    "amqp parked",
    "amqp parked list",
    "amqp parked show",
    "amqp parked replay",
    "amqp parked discard",
    "amqp dossiers",
    "bench",
];

#[tokio::test]
async fn help_is_as_it_was_looked_at() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden");
    let is_update = std::env::var_os("TRUC_TESTS_UPDATE").is_some();
    let mut differing = Vec::new();
    for command in COMMANDS {
        let done = run(&golden, &format!("{command} --help")).await.ended(0);
        let file = golden.join(format!("truc {command}").trim().replace(' ', "-") + ".txt");
        if is_update {
            std::fs::write(&file, &done.out).unwrap();
        } else if std::fs::read_to_string(&file).unwrap_or_default() != done.out {
            differing.push(format!("{}:\n{}", file.display(), done.out));
        }
    }
    assert!(differing.is_empty(), "look at it, then TRUC_TESTS_UPDATE=1:\n{}", differing.join("\n"));
}

#[tokio::test]
async fn every_command_has_its_help_looked_at() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden");
    for parent in ["", "pki", "directory", "dead", "hold", "amqp", "amqp parked"] {
        let help = run(&golden, &format!("{parent} --help")).await.ended(0).out;
        let (_, rest) = help.split_once("Commands:\n").unwrap();
        let named = rest.lines().take_while(|line| !line.is_empty());
        for line in named.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap();
            let command = format!("{parent} {name}");
            assert!(name == "help" || COMMANDS.contains(&command.trim()), "{command}");
        }
    }
}
