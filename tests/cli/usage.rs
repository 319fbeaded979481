//! Wrong command lines and gateways that are not there: what is said, and the exit code.

use std::process::Stdio;

use crate::support::{Gateway, end, run, truc};

#[tokio::test]
async fn a_wrong_command_line_is_64_and_names_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.pdf"), "x").unwrap();
    for (args, said) in [
        ("", "Usage"),
        ("frobnicate", "frobnicate"),
        ("send", "FILE"),
        ("send a.pdf", "--to"),
        ("send a.pdf --to H49", "--subject"),
        ("send a.pdf --to H49 --subject S", "--profile"),
        ("send --edxml a.pdf a.pdf --to H49 --subject S", "cannot be used with"),
        ("send --edxml a.pdf --to H49", "cannot be used with"),
        ("send --edxml none.edxml", "none.edxml"),
        ("send a.pdf --to H49 --subject S --urgency fast", "very-urgent"),
        ("collect", "--profile"),
        ("collect --window 0", "--window"),
        ("collect --window 1001", "--window"),
        ("collect --max 0", "--max"),
        ("track", "MESSAGE_ID"),
        ("track m --profile none", "none/profile.toml"),
        ("receipts --profile none", "truc pki issue --profile"),
        ("receipts --endpoint https://gw --ca a --cert b", "--key"),
        ("organs --endpoint http://gw --ca a --cert b --key c", "b:"),
        ("pki issue", "--organ"),
        ("pki issue --organ Z99", "level-1 code"),
        ("pki issue --organ H49", "ca.crt"),
        ("pki issue --organ H49 --days 0", "--days"),
        ("pki revoke", "FILE"),
        ("pki show a.pdf", "a.pdf"),
        ("sandbox --port-base 65535", "--port-base"),
        ("serve --config none.toml", "none.toml"),
        ("check-config --config none.toml", "none.toml"),
        ("track m --lang fr", "--lang"),
    ] {
        let done = run(dir.path(), args).await;
        assert_eq!(done.code, 64, "{args}: {}", done.err);
        assert!(done.err.contains(said), "{args}: {}", done.err);
        assert_eq!(done.out, "", "{args}");
    }
}

#[tokio::test]
async fn what_was_tried_and_failed_is_1() {
    let gateway = Gateway::start().await;
    std::fs::write(gateway.path("a.pdf"), "x").unwrap();
    for (args, said) in [
        ("track nothing --profile G22", "MESSAGE_NOT_FOUND"),
        ("send a.pdf --profile G22 --to H94 --subject S", "did you mean H49"),
        ("send a.pdf --profile G22 --to H49 --subject S --due-date soon", "docs/errors/INVALID_FIELD.md"),
        ("send a.pdf --profile G22 --sender H49 --to H49 --subject S", "NOT_ACTING_FOR_ORGAN"),
        ("collect --once --profile H49 --organ H05", "NOT_ACTING_FOR_ORGAN"),
        ("collect --profile lan", "OPERATOR_NOT_ALLOWED"),
        ("receipts --profile lan", "OPERATOR_NOT_ALLOWED"),
        ("organs --profile G22 --endpoint https://127.0.0.1:1", "no connection"),
    ] {
        let done = gateway.run(args).await;
        assert_eq!(done.code, 1, "{args}: {}", done.err);
        assert!(done.err.contains(said), "{args}: {}", done.err);
    }
    std::fs::write(gateway.path("cursor"), "what").unwrap();
    let done = gateway.run("receipts --profile G22 --cursor-file cursor").await.ended(1);
    assert!(done.err.contains("INVALID_CURSOR"), "{}", done.err);
    // By the certificate of a CA the gateway does not know.
    gateway.run("pki init --dir other").await.ended(0);
    gateway.run("pki issue --dir other --organ H49").await.ended(0);
    let args = "organs --profile H49 --cert other/H49.crt --key other/H49.key";
    let done = gateway.run(args).await.ended(1);
    assert!(done.err.contains("refuses the certificate"), "{}", done.err);
}

#[tokio::test]
async fn nobody_who_reads_is_no_error_to_speak_of() {
    let gateway = Gateway::start().await;
    for args in ["organs --json --profile G22", "organs --profile G22", "check-config --values-only"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = truc(gateway.dir.path(), args);
        command.stdout(writer);
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().await.unwrap();
        assert_eq!(output.status.code(), Some(141), "{args}");
        assert!(output.stderr.is_empty(), "{args}: {output:?}");
    }
}

#[tokio::test]
async fn the_profile_can_be_named_by_the_environment() {
    let gateway = Gateway::start().await;
    let mut command = gateway.command("resolve H02 --json");
    command.env("TRUC_PROFILE", gateway.path("H49"));
    let answer = end(command).await.ended(0).object();
    assert_eq!((&answer["resolution"], &answer["organ"]["organ_id"]), (&"redirected".into(), &"H05".into()));
    let organs = gateway.run("organs --profile lan --closed --json").await.ended(0).objects();
    assert_eq!(organs.len(), 85);
    assert_eq!(
        gateway.run("organs --profile lan --at-or-below H49 --json").await.ended(0).objects().len(),
        1
    );
    let config = run(gateway.dir.path(), "check-config --config truc.toml --json").await.ended(0).object();
    assert_eq!(config["tls"]["client_ca"], "pki/ca.crt");
}
