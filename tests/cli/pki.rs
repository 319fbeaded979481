//! `truc pki`: a CA from the command line.

use crate::support::run;

#[tokio::test]
async fn a_ca_issues_shows_and_revokes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let made = run(dir, "pki init --dir ca --json").await.ended(0).object();
    assert_eq!(made["certificate"], "ca/ca.crt");
    let again = run(dir, "pki init --dir ca").await.ended(64);
    assert!(again.err.contains("exists already"), "{}", again.err);

    let issued =
        run(dir, "pki issue --dir ca --organ 000.00.00.H49 --days 30 --json").await.ended(0).object();
    assert_eq!(issued["certificate"], "ca/H49.crt");
    let shown = run(dir, "pki show --json ca/H49.crt").await.ended(0).object();
    assert_eq!(shown["organ"], "H49");
    assert_eq!(shown["serial"], issued["serial"]);
    assert!(shown["subject"].as_str().unwrap().contains("Quảng Ninh"), "{shown}");

    run(dir, "pki issue --dir ca --operator lan").await.ended(0);
    assert_eq!(run(dir, "pki show --json ca/lan.crt").await.ended(0).object()["operator"], "lan");
    run(dir, "pki issue --dir ca --server gw.example.vn,10.0.0.1").await.ended(0);
    assert!(run(dir, "pki show ca/gw.example.vn.crt").await.ended(0).out.contains("gw.example.vn"));

    run(dir, "pki issue --dir ca --organ H49").await.ended(64);
    run(dir, "pki issue --dir ca --organ H49 --replace").await.ended(0);
    let revoked = run(dir, "pki revoke --dir ca ca/H49.crt --json").await.ended(0).object();
    assert_ne!(revoked["serial"], issued["serial"]);
    run(dir, &format!("pki revoke --dir ca --serial {}", issued["serial"].as_str().unwrap())).await.ended(0);
    assert_eq!(std::fs::read_to_string(dir.join("ca/revoked.txt")).unwrap().lines().count(), 2);
}

#[tokio::test]
async fn a_profile_is_a_folder_that_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    run(dir, "pki init").await.ended(0);
    let issue = "pki issue --organ H05 --profile p/H05 --endpoint https://gw.example.vn:7443";
    run(dir, issue).await.ended(0);
    let mut files: Vec<_> = std::fs::read_dir(dir.join("p/H05"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["H05.crt", "H05.key", "ca.crt", "profile.toml"]);
    run(dir, "pki issue --organ H49 --profile p/H49").await.ended(64);
    let both = run(dir, "pki issue --organ H49 --operator lan").await.ended(64);
    assert!(both.err.contains("cannot be used with"), "{}", both.err);
}
