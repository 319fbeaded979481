use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::broker::Kind;
use super::ledger::Store;
use super::*;

fn load(text: &str) -> Result<Config, Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("truc.toml");
    fs::write(&file, text).unwrap();
    Config::load(Some(&file), std::iter::empty())
}

fn load_env(variables: &[(&str, &str)]) -> Result<Config, Error> {
    Config::load(None, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn keys_of(table: &toml::Table) -> Vec<String> {
    let inner = |section: &str, keys: &toml::Value| {
        keys.as_table().unwrap().keys().map(|key| format!("{section}.{key}")).collect::<Vec<_>>()
    };
    table.iter().flat_map(|(section, keys)| inner(section, keys)).collect()
}

#[test]
fn the_default_is_what_the_contract_documents() {
    let config = load("").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.limits.payload_bytes_max, 52_428_800, "document.proto, OpaqueDocument.payload");
    assert_eq!(config.limits.stream_window, 256, "exchange.proto, SubmitStream");
    assert_eq!(
        config.delivery.ttl,
        Duration::from_secs(30 * 86_400),
        "document.proto, Submission.expire_time"
    );
    assert!(!config.tls.allow_tls12);
    assert!(config.gateway.listen.ip().is_loopback() && config.ops.listen.ip().is_loopback());
}

#[test]
fn the_default_file_and_the_structs_have_the_same_keys() {
    let written: toml::Table = toml::from_str(&Config::default().render()).unwrap();
    assert_eq!(keys_of(&default_table()), keys_of(&written));
}

#[test]
fn every_key_of_the_default_file_has_a_comment() {
    let lines: Vec<&str> = DEFAULT_TOML.lines().collect();
    for pair in lines.windows(2) {
        let is_key = pair[1].contains(" = ") && !pair[1].starts_with('#');
        assert!(!is_key || pair[0].starts_with('#'), "{} has no comment", pair[1]);
    }
}

#[test]
fn what_is_rendered_loads_again() {
    let config =
        load("[delivery]\nttl = \"90m\"\nretry_jitter = 0\n[tls]\ncrls = [\"a.pem\", \"b.pem\"]").unwrap();
    assert_eq!(load(&config.render()).unwrap(), config);
}

#[test]
fn a_file_overrides_key_by_key() {
    let config = load("[delivery]\nattempts_max = 7\n[log]\nformat = \"text\"\n").unwrap();
    let mut expected = Config::default();
    expected.delivery.attempts_max = 7;
    expected.log.format = log::Format::Text;
    assert_eq!(config, expected);
}

#[test]
fn the_environment_overrides_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("truc.toml");
    fs::write(&file, "[delivery]\nttl = \"1d\"\nattempts_max = 7\n").unwrap();
    let env = [("TRUC__DELIVERY__TTL", "2d"), ("TRUC_PROFILE", "x"), ("PATH", "/bin")];
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let config = Config::load(Some(&file), env).unwrap();
    assert_eq!(config.delivery.ttl, Duration::from_secs(2 * 86_400));
    assert_eq!(config.delivery.attempts_max, 7);
}

#[test]
fn the_environment_is_toml_or_text() {
    let config = load_env(&[
        ("TRUC__LOG__FILTER", "debug"),
        ("TRUC__GATEWAY__NODE", "7"),
        ("TRUC__LEDGER__PATH", "\"/data/l.db\""),
        ("TRUC__TLS__CRLS", "[\"a.pem\"]"),
        ("TRUC__TLS__ALLOW_TLS12", "true"),
        ("TRUC__LIMITS__RATE_PER_S", "5"),
    ])
    .unwrap();
    assert_eq!(config.log.filter, "debug");
    assert_eq!(config.gateway.node, "7", "a text stays a text");
    assert_eq!(config.ledger.path, Path::new("/data/l.db"));
    assert_eq!(config.tls.crls, [PathBuf::from("a.pem")]);
    assert!(config.tls.allow_tls12);
    assert_eq!(config.limits.rate_per_s, 5);
    let injected = load_env(&[("TRUC__LIMITS__RATE_PER_S", "5\nx = 6")]).unwrap_err();
    assert_eq!(injected.key(), Some("limits.rate_per_s"));
}

#[test]
fn an_unknown_key_names_the_one_that_was_meant() {
    for (text, key, line, nearest) in [
        ("[delivery]\n\nattempt_max = 1", "delivery.attempt_max", 3, Some("delivery.attempts_max")),
        (
            "[gateway]\npayload_bytes_max = 1",
            "gateway.payload_bytes_max",
            2,
            Some("limits.payload_bytes_max"),
        ),
        ("ttl = \"1d\"", "ttl", 1, Some("delivery.ttl")),
        ("retry_jiter = 1", "retry_jiter", 1, Some("delivery.retry_jitter")),
        ("# first\n[leger]\npath = \"x\"", "leger", 2, Some("ledger")),
        ("[postbox]\nkind = \"rabbit\"", "postbox", 1, None),
    ] {
        let error = load(text).unwrap_err();
        let Error::UnknownKey { origin: Origin::File { line: at, .. }, key: found, nearest: hint } = &error
        else {
            panic!("{text}: {error}");
        };
        assert_eq!((found.as_str(), *at, hint.as_deref()), (key, line, nearest), "{text}");
    }
    let error = load_env(&[("TRUC__DELIVERY__TTTL", "1d")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment variable TRUC__DELIVERY__TTTL: there is no key `delivery.tttl`; did you mean `delivery.ttl`?"
    );
    assert_eq!(load_env(&[("TRUC__DELIVERY", "1d")]).unwrap_err().key(), Some("delivery"));
}

#[test]
fn set_ups_that_cannot_work_are_refused() {
    for (text, key, words) in [
        ("[ledger]\nstore = \"postgres\"", "broker.kind", "embedded brokers"),
        ("[broker]\nkind = \"rabbitmq\"\n[rabbitmq]\nuris = []", "rabbitmq.uris", "no node"),
        ("[broker]\nkind = \"rabbitmq\"\n[rabbitmq]\nuris = [\"amqps://mq:5671\"]", "rabbitmq.ca", "amqps"),
        ("[broker]\nkind = \"rabbitmq\"\n[rabbitmq]\ncert = \"x.pem\"", "rabbitmq.cert", "go together"),
        (
            "[broker]\nkind = \"rabbitmq\"\n[rabbitmq]\nname_prefix = \"Trục\"",
            "rabbitmq.name_prefix",
            "queue",
        ),
        (
            "[broker]\nkind = \"rabbitmq\"\n[rabbitmq]\nmailbox_length_max = 5",
            "rabbitmq.mailbox_length_max",
            "2000000",
        ),
    ] {
        let error = load(text).unwrap_err();
        assert_eq!(error.key(), Some(key), "{text}: {error}");
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let missing = Config::load(Some(Path::new("no/such/truc.toml")), std::iter::empty()).unwrap_err();
    assert!(missing.to_string().starts_with("no/such/truc.toml: cannot be read: "), "{missing}");
    let error = load("[log]\nformat = \"json\"\nfilter = oops\n").unwrap_err();
    assert!(matches!(error, Error::Syntax { line: 3, .. }), "{error}");
    let error = load("[log]\nformat = \"json\"\nformat = \"text\"\n").unwrap_err();
    assert!(matches!(error, Error::Syntax { line: 3, .. }), "{error}");
    let error = load("gateway = 3\n").unwrap_err();
    assert_eq!(error.key(), Some("gateway"), "{error}");
}

#[test]
fn a_bad_value_is_refused_with_its_place() {
    for (section, assignment) in [
        ("gateway", "listen = \"everywhere\""),
        ("gateway", "listen = 7443"),
        ("gateway", "node = \"\""),
        ("gateway", "node = \"Trục 1\""),
        ("gateway", "calls_per_connection_max = 0"),
        ("gateway", "keepalive_interval = \"1ms\""),
        ("gateway", "keepalive_timeout = \"1h\""),
        ("gateway", "shutdown_grace = \"11m\""),
        ("tls", "cert = \"\""),
        ("tls", "key = \"\""),
        ("tls", "client_ca = \"\""),
        ("tls", "crls = [\"\"]"),
        ("tls", "crls = \"a.pem\""),
        ("tls", "allow_tls12 = \"yes\""),
        ("tls", "handshake_timeout = \"50ms\""),
        ("tls", "connections_max = 0"),
        ("tls", "handshakes_max = 5000"),
        ("ledger", "path = \"\""),
        ("ledger", "commit_batch_max = 0"),
        ("ledger", "commit_bytes_max = 1"),
        ("ledger", "queue_max = 511"),
        ("ledger", "readers = 0"),
        ("ledger", "disk_free_bytes_min = -1"),
        ("delivery", "ttl = \"59s\""),
        ("delivery", "ttl = \"366d\""),
        ("delivery", "ttl = 30"),
        ("delivery", "ttl = \"a month\""),
        ("delivery", "attempts_max = 0"),
        ("delivery", "attempts_max = 1.5"),
        ("delivery", "retry_delay_min = \"2h\""),
        ("delivery", "retry_delay_max = \"31d\""),
        ("delivery", "retry_jitter = 1.0"),
        ("delivery", "retry_jitter = nan"),
        ("delivery", "prompt_attempts = 101"),
        ("limits", "payload_bytes_max = 209715201"),
        ("limits", "payload_bytes_max = 1000"),
        ("limits", "stream_window = 0"),
        ("limits", "collect_window_bytes = 1"),
        ("limits", "mailbox_deliveries_max = 0"),
        ("limits", "rate_per_s = 0"),
        ("limits", "rate_burst = 0"),
        ("limits", "streams_per_organ_max = 0"),
        ("limits", "in_flight_bytes_max = 52428800"),
        ("limits", "hot_bytes_max = -1"),
        ("directory", "files = [\"\"]"),
        ("ops", "listen = \"0.0.0.0:9464\""),
        ("ops", "listen = \"127.0.0.1:7443\""),
        ("log", "format = \"xml\""),
        ("log", "filter = \"truc=loud\""),
    ] {
        let error = load(&format!("[{section}]\n{assignment}\n")).unwrap_err();
        let key = format!("{section}.{}", assignment.split(' ').next().unwrap());
        let Error::Value { origin, key: found, hint, .. } = &error else { panic!("{assignment}: {error}") };
        assert_eq!(*found, key, "{error}");
        assert!(matches!(origin, Origin::File { line: 2, .. }), "{error}");
        assert!(hint.is_some(), "{error}");
    }
}

#[test]
fn a_relation_broken_from_its_other_side_is_found_too() {
    let error =
        load("[limits]\npayload_bytes_max = 209715200\nin_flight_bytes_max = 209715200\n").unwrap_err();
    assert_eq!(error.key(), Some("limits.in_flight_bytes_max"));
    let error = load("[gateway]\nlisten = \"0.0.0.0:9464\"\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "defaults: `ops.listen`: port 9464 is that of gateway.listen; use another port"
    );
}

#[test]
fn there_is_an_example_of_each_set_up() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples");
    let mut set_ups = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        match Config::load(Some(&file), std::iter::empty()) {
            Ok(config) => set_ups.push((name, config.ledger.store, config.broker.kind)),
            Err(error) => panic!("{error}"),
        }
    }
    set_ups.sort_by(|a, b| a.0.cmp(&b.0));
    let wanted = [
        ("bridge", Store::Sqlite, Kind::RabbitMq),
        ("scale-out", Store::Postgres, Kind::RabbitMq),
        ("standalone", Store::Sqlite, Kind::Embedded),
    ];
    assert_eq!(set_ups, wanted.map(|(name, store, kind)| (name.to_owned(), store, kind)));
}
