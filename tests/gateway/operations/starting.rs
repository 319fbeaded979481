//! Starts that fail: each says why, with the exit code that tells a wrong configuration from a failure.

use std::process::Output;

use crate::support::{Site, document};

/// Runs a gateway that is to end by itself.
fn run(site: &Site) -> Output {
    site.command().output().unwrap()
}

fn ends_with(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_the_same_ledger_refuses_and_the_first_goes_on() {
    let site = Site::new(&[]);
    let gateway = site.start();
    let g22 = site.agency(&gateway, "G22").await;
    ends_with(&run(&site), 1, &["ledger.db", "open in another process"]);
    g22.submit(document("m-1", &["H49"], b"x".to_vec())).await.unwrap();
    assert_eq!(gateway.stop(), Some(0));
    // Once it has ended, the next may have it.
    let gateway = site.start();
    let h49 = site.agency(&gateway, "H49").await;
    assert_eq!(h49.fetch(10, 10).await.len(), 1);
    assert_eq!(gateway.stop(), Some(0));
}

#[test]
fn a_wrong_configuration_is_exit_code_64_and_names_the_key() {
    for (setting, words) in [
        ("limits.no_such_key = 1", ["limits.no_such_key", "truc.toml"]),
        ("limits.rate_per_s = 0", ["limits.rate_per_s", "truc.toml"]),
        ("delivery.ttl = \"soon\"", ["delivery.ttl", "truc.toml"]),
        ("gateway.listen = 7443", ["gateway.listen", "truc.toml"]),
        ("log.filter = \"loud=very\"", ["log.filter", "truc.toml"]),
    ] {
        let mut site = Site::new(&[]);
        site.set(setting);
        ends_with(&run(&site), 64, &words);
        assert!(!site.path("data").exists(), "nothing was tried: {setting}");
    }
    let site = Site::new(&["= ="]);
    ends_with(&run(&site), 64, &["truc.toml"]);
    let site = Site::new(&[]);
    let mut command = site.command();
    std::fs::remove_file(site.path("truc.toml")).unwrap();
    ends_with(&command.output().unwrap(), 64, &["truc.toml"]);
}

#[test]
fn what_cannot_be_had_at_the_start_is_exit_code_1_and_named() {
    let missing = |name: &str| format!("{:?}", Site::new(&[]).path(name));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (setting, words) in [
        (format!("tls.cert = {}", missing("gone.crt")), ["gone.crt", ""]),
        (format!("tls.client_ca = {}", missing("gone.pem")), ["gone.pem", ""]),
        (format!("directory.files = [{}]", missing("gone.csv")), ["gone.csv", ""]),
        (format!("gateway.listen = \"{address}\""), ["gateway.listen", "in use"]),
        (format!("ops.listen = \"{address}\""), ["ops.listen", "in use"]),
        ("ledger.path = \"/proc/none/ledger.db\"".to_owned(), ["/proc/none", ""]),
    ] {
        let mut site = Site::new(&[]);
        site.set(setting);
        ends_with(&run(&site), 1, &words);
    }
}
