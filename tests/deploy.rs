//! What stands in `deploy/`: every file it names is there, every value it sets is one the program takes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that meets what it does not expect has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use truc::config::Config;
use truc::config::broker::Kind;
use truc::config::ledger::Store;
use yaml_rust2::{Yaml, YamlLoader};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn deploy(name: &str) -> String {
    fs::read_to_string(root().join("deploy").join(name)).unwrap()
}

fn compose() -> Yaml {
    YamlLoader::load_from_str(&deploy("compose.yaml")).unwrap().remove(0)
}

/// The value of a key, its own or that of what is merged into it.
fn get<'a>(of: &'a Yaml, key: &str) -> &'a Yaml {
    match &of[key] {
        Yaml::BadValue => match &of["<<"] {
            Yaml::BadValue => &Yaml::BadValue,
            merged => get(merged, key),
        },
        value => value,
    }
}

fn list(of: &Yaml) -> &[Yaml] {
    of.as_vec().map(Vec::as_slice).unwrap_or_default()
}

fn keys(of: &Yaml) -> BTreeSet<String> {
    of.as_hash().unwrap().keys().map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn services(compose: &Yaml) -> impl Iterator<Item = (&str, &Yaml)> {
    compose["services"].as_hash().unwrap().iter().map(|(name, service)| (name.as_str().unwrap(), service))
}

fn pairs(environment: &Yaml) -> Vec<(String, String)> {
    let pairs = environment.as_hash().into_iter().flatten();
    pairs
        .map(|(name, value)| (name.as_str().unwrap().to_owned(), value.as_str().unwrap().to_owned()))
        .collect()
}

/// `45s` or `1m`.
fn time(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap());
    Duration::from_secs(number.parse::<u64>().unwrap() * if unit == "m" { 60 } else { 1 })
}

/// The configuration of a node of the scale-out example with this environment.
fn node(environment: Vec<(String, String)>) -> Config {
    let file = root().join("config/examples/scale-out.toml");
    match Config::load(Some(&file), environment.into_iter()) {
        Ok(config) => config,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_service_is_watched_bounded_and_told_no_secret() {
    let compose = compose();
    let names: Vec<_> = services(&compose).map(|(name, _)| name).collect();
    assert_eq!(names, ["axis-1", "axis-2", "postgres", "rabbitmq"]);
    for (name, service) in services(&compose) {
        let healthcheck = get(service, "healthcheck");
        assert!(!list(&healthcheck["test"]).is_empty(), "{name} has no health check");
        for key in ["interval", "timeout", "retries", "start_period"] {
            assert!(!healthcheck[key].is_badvalue(), "{name}: healthcheck.{key}");
        }
        let limits = &get(service, "deploy")["resources"]["limits"];
        for key in ["cpus", "memory", "pids"] {
            assert!(!limits[key].is_badvalue(), "{name}: limits.{key}");
        }
        assert!(
            time(get(service, "stop_grace_period").as_str().unwrap()) >= Duration::from_secs(30),
            "{name}"
        );
        for (variable, value) in pairs(get(service, "environment")) {
            let is_path = value.starts_with("/run/secrets/");
            assert!(!variable.contains("PASS") || is_path, "{name}: {variable} holds a secret");
        }
    }
}

#[test]
fn the_nodes_of_the_compose_file_are_configured_by_what_it_says() {
    let compose = compose();
    let mut ports = BTreeSet::new();
    for name in ["axis-1", "axis-2"] {
        let service = &compose["services"][name];
        let config = node(pairs(get(service, "environment")));
        assert_eq!(config.gateway.node, name);
        assert_eq!((config.ledger.store, config.broker.kind), (Store::Postgres, Kind::RabbitMq));
        // The services are reached by their names.
        for host in &config.postgres.hosts {
            assert_eq!((host.name.as_str(), host.port), ("postgres", 5432));
        }
        assert_eq!(config.rabbitmq.uris, ["amqps://rabbitmq:5671"]);
        // What the file names is mounted, from a secret.
        let secrets: BTreeSet<_> =
            list(get(service, "secrets")).iter().map(|s| s["target"].as_str()).collect();
        let wanted = [&config.tls.cert, &config.tls.key, &config.tls.client_ca, &config.tls.crls[0]];
        let beside = [&config.postgres.password_file, &config.postgres.ca, &config.rabbitmq.password_file];
        for path in wanted.into_iter().chain(beside).chain([&config.rabbitmq.ca]) {
            assert!(secrets.contains(&path.to_str()), "{name}: {} is not mounted", path.display());
        }
        let needed = config.gateway.drain_delay + config.gateway.shutdown_grace;
        assert!(time(get(service, "stop_grace_period").as_str().unwrap()) > needed);
        assert!(ports.insert(list(get(service, "ports"))[0].as_str().unwrap().to_owned()));
        for other in ["postgres", "rabbitmq"] {
            assert_eq!(get(service, "depends_on")[other]["condition"].as_str(), Some("service_healthy"));
        }
    }
}

#[test]
fn every_file_and_secret_of_the_compose_file_is_there() {
    let compose = compose();
    let defined = keys(&compose["secrets"]);
    let mut used = BTreeSet::new();
    for (name, service) in services(&compose) {
        for secret in list(get(service, "secrets")) {
            let source = secret.as_str().or(secret["source"].as_str()).unwrap();
            assert!(defined.contains(source), "{name}: {source} is not defined");
            used.insert(source.to_owned());
        }
        for volume in list(get(service, "volumes")) {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            match source.starts_with('.') {
                true => assert!(root().join("deploy").join(source).is_file(), "{name}: {source}"),
                false => assert!(keys(&compose["volumes"]).contains(source), "{name}: {source}"),
            }
        }
    }
    assert_eq!(defined, used);

    let made = prepared();
    for (name, secret) in compose["secrets"].as_hash().unwrap() {
        let file = Path::new(secret["file"].as_str().unwrap());
        assert_eq!(file.parent(), Some(Path::new("./secrets")));
        let path = made.path().join(file.file_name().unwrap());
        let is_public = file.extension().is_some_and(|end| end == "crt" || end == "pem");
        let mode =
            fs::metadata(&path).unwrap_or_else(|error| panic!("{name:?}: {error}")).permissions().mode();
        assert_eq!(mode & 0o777, if is_public { 0o644 } else { 0o600 }, "{name:?}");
    }
}

/// A folder in which `deploy/prepare` has worked, twice: the second time leaves secrets as they are.
fn prepared() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let done = Command::new(root().join("deploy/prepare"))
            .arg(folder.path())
            .env("TRUC", env!("CARGO_BIN_EXE_truc"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
        ["postgres-password", "rabbitmq-password", "gateway.key", "postgres.key"].map(read)
    };
    let first = run();
    assert!(first.iter().all(|secret| secret.len() >= 32));
    assert_ne!(first[0], first[1]);
    assert_eq!(first, run());
    folder
}

/// `KEY=value` lines of a systemd unit.
fn settings<'a>(unit: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    unit.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix('='))
}

#[test]
fn the_units_stop_as_the_gateway_needs_it() {
    let template = deploy("truc@.service");
    let environment = settings(&template, "Environment").map(|line| {
        let (name, value) = line.split_once('=').unwrap();
        (name.to_owned(), value.replace("%i", "axis-7"))
    });
    let config = node(environment.collect());
    assert_eq!(config.gateway.node, "axis-7");
    // The control socket is in the folder that systemd makes.
    let runtime = settings(&template, "RuntimeDirectory").next().unwrap().replace("%i", "axis-7");
    assert_eq!(config.ops.control.parent(), Some(Path::new("/run").join(runtime).as_path()));
    assert!(settings(&template, "ExecStop").next().unwrap().contains("truc drain --config"));

    let standalone = root().join("config/examples/standalone.toml");
    let standalone = Config::load(Some(&standalone), std::iter::empty()).unwrap();
    for (unit, config) in [(template, config), (deploy("truc.service"), standalone)] {
        let timeout = time(settings(&unit, "TimeoutStopSec").next().unwrap());
        assert!(timeout > config.gateway.drain_delay + config.gateway.shutdown_grace);
        let files: u32 = settings(&unit, "LimitNOFILE").next().unwrap().parse().unwrap();
        assert!(files as usize > config.tls.connections_max);
        assert!(settings(&unit, "RestartPreventExitStatus").any(|codes| codes == "64"));
    }
}

#[test]
fn rabbitmq_takes_the_largest_message_there_is() {
    let conf = deploy("rabbitmq/rabbitmq.conf");
    let value = |key: &str| {
        let lines = conf.lines().filter_map(|line| line.split_once(" = "));
        lines.into_iter().find(|(name, _)| *name == key).unwrap().1.to_owned()
    };
    let config = node(Vec::new());
    let payload_as_base64 = config.limits.payload_bytes_max.div_ceil(3) * 4;
    assert!(value("max_message_size").parse::<usize>().unwrap() > payload_as_base64);
    assert_eq!(value("default_user"), config.rabbitmq.user);
    assert_eq!(value("default_vhost"), config.rabbitmq.vhost);
    // The certificates it names are secrets of the compose file.
    let compose = compose();
    for key in ["ssl_options.cacertfile", "ssl_options.certfile", "ssl_options.keyfile"] {
        let name = value(key).rsplit('/').next().unwrap().to_owned();
        let secrets = list(&compose["services"]["rabbitmq"]["secrets"]);
        assert!(secrets.iter().any(|secret| secret.as_str() == Some(&name)), "{key}");
    }
}
