//! A gateway node of one's own to measure: this program, as a process with its own CA, directory and folder.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::clients::program;
use super::error::Error;
use super::plan::Door;
use super::process::Usage;
use super::roll::Roll;
use crate::config::dossiers::Grant;
use crate::config::{Config, tls::Tls};
use crate::domain::organ_id::OrganId;
use crate::domain::time::{Clock, SystemClock};
use crate::identity::pki::{Ca, Existing, Subject, Validity};

/// Longest start.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often it is looked whether something has come to be.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);
/// Time for calls in progress when it is stopped.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);
/// Its certificates are good for the day.
const VALIDITY_DAYS: u32 = 2;
/// No sender is to be slowed down by its own rate.
const RATE_PER_S: u32 = 1_000_000;
/// Streams of an organ beside its collectors.
const STREAMS_BESIDE: usize = 8;

/// What gateways of a measurement have in common: certificates and directory. Removed when dropped.
pub struct Site {
    folder: PathBuf,
    config: Config,
    /// The organs.
    pub roll: Roll,
}

/// A gateway at work. Killed when dropped.
pub struct Gateway {
    child: Child,
    pid: u32,
    /// Its folder.
    pub home: PathBuf,
    /// How to enter it.
    pub door: Door,
    /// From the start of the process until it was ready.
    pub ready_in: Duration,
}

impl Site {
    /// Makes a folder under `parent` with all that gateways for these organs need.
    pub fn build(parent: &Path, roll: Roll, window: usize, mailbox: u64) -> Result<Self, Error> {
        let name = format!("truc-bench-{}-{}", std::process::id(), SystemClock.now().as_micros());
        let folder = parent.join(name);
        fs::create_dir_all(&folder).map_err(Error::system(folder.display()))?;
        let folder = folder.canonicalize().map_err(Error::system(folder.display()))?;
        let mut site = Self { folder, config: Config::default(), roll };
        site.config.tls = site.issue_certificates()?;
        site.config.directory.files = vec![site.write_directory()?];
        let limits = &mut site.config.limits;
        (limits.rate_per_s, limits.rate_burst) = (RATE_PER_S, RATE_PER_S);
        let dossiers = &mut site.config.dossiers;
        (dossiers.steps_per_s, dossiers.steps_burst) = (RATE_PER_S, RATE_PER_S);
        limits.stream_window = limits.stream_window.max(window);
        limits.mailbox_deliveries_max = limits.mailbox_deliveries_max.max(mailbox);
        // A collector for each, and one's own streams beside.
        let streams = site.roll.per_connection() + STREAMS_BESIDE;
        limits.streams_per_organ_max = limits.streams_per_organ_max.max(streams);
        let calls = u32::try_from(streams).unwrap_or(u32::MAX);
        site.config.gateway.calls_per_connection_max =
            site.config.gateway.calls_per_connection_max.max(calls);
        site.config.gateway.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        site.config.gateway.shutdown_grace = SHUTDOWN_GRACE;
        site.config.ops.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(site)
    }

    /// The same, and an organ may follow all dossiers.
    pub fn read_by(mut self, organ: usize) -> Result<Self, Error> {
        let reader =
            OrganId::parse(&self.roll.organs[organ]).map_err(|why| Error::Impossible(why.to_string()))?;
        self.config.dossiers.readers = vec![Grant { reader, at_or_below: None, procedure: None }];
        Ok(self)
    }

    /// The folder of the certificates.
    pub fn pki(&self) -> PathBuf {
        self.folder.join("pki")
    }

    /// Starts a gateway on a ledger of this name, a new one or one left by another start.
    pub async fn start(&self, name: &str) -> Result<Gateway, Error> {
        self.start_with(name, |_, _| Ok(())).await
    }

    /// The same, with more to configure. That is given the gateway's folder.
    pub async fn start_with(
        &self,
        name: &str,
        configure: impl FnOnce(&mut Config, &Path) -> Result<(), Error>,
    ) -> Result<Gateway, Error> {
        let home = self.folder.join(name);
        fs::create_dir_all(&home).map_err(Error::system(home.display()))?;
        let mut config = self.config.clone();
        config.ops.control = home.join("truc.sock");
        config.ledger.path = home.join("ledger.db");
        name.clone_into(&mut config.gateway.node);
        configure(&mut config, &home)?;
        let file = home.join("truc.toml");
        fs::write(&file, config.render()).map_err(Error::system(file.display()))?;
        let log = home.join("gateway.log");
        let errors = File::create(&log).map_err(Error::system(log.display()))?;
        let started = Instant::now();
        let mut child = Command::new(program())
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(Error::system("a gateway"))?;
        let up = tokio::time::timeout(START_TIMEOUT, come_up(&mut child, &log)).await;
        let late = || Err(format!("it took more than {} s", START_TIMEOUT.as_secs()));
        let endpoint = up.unwrap_or_else(|_| late()).map_err(|reason| Error::NotUp { reason, log })?;
        let ready_in = started.elapsed();
        let door = Door { endpoints: vec![endpoint], pki: self.pki() };
        Ok(Gateway { pid: child.id().unwrap_or_default(), child, home, door, ready_in })
    }

    fn issue_certificates(&self) -> Result<Tls, Error> {
        let now = SystemClock.now();
        let ca = Ca::create(&self.pki(), now, Existing::Keep)?;
        let validity = Validity::days(now, VALIDITY_DAYS);
        for organ in self.roll.certified() {
            let id = OrganId::parse(organ).map_err(|why| Error::Impossible(why.to_string()))?;
            ca.issue(&Subject::Organ(id, String::new()), validity, Existing::Keep)?;
        }
        let here = Subject::Server { dns: Vec::new(), ips: vec![[127, 0, 0, 1].into()] };
        let server = ca.issue(&here, validity, Existing::Keep)?;
        Ok(Tls {
            cert: server.certificate,
            key: server.key,
            client_ca: ca.certificate_path(),
            crls: vec![ca.crl_path()],
            ..Config::default().tls
        })
    }

    fn write_directory(&self) -> Result<PathBuf, Error> {
        let path = self.folder.join("organs.csv");
        fs::write(&path, self.roll.directory()).map_err(Error::system(path.display()))?;
        Ok(path)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // What cannot be removed is only in the way.
        let _left = fs::remove_dir_all(&self.folder).is_err();
    }
}

impl Gateway {
    /// What its process has taken.
    pub fn usage(&self) -> Result<Usage, Error> {
        Usage::of(self.pid).map_err(Error::system("the gateway's process"))
    }

    /// Kills it without a warning, as a power cut would.
    pub async fn kill(mut self) -> Result<(), Error> {
        self.child.kill().await.map_err(Error::system("killing the gateway"))
    }

    /// Stops it in good order; its ledger stays.
    pub async fn stop(mut self) -> Result<(), Error> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let told = kill_process(pid, Signal::TERM).map_err(io::Error::from);
            told.map_err(Error::system("stopping the gateway"))?;
        }
        if tokio::time::timeout(2 * SHUTDOWN_GRACE, self.child.wait()).await.is_err() {
            self.child.kill().await.map_err(Error::system("killing the gateway"))?;
        }
        Ok(())
    }
}

/// Waits until a gateway says where it is and is ready; gives its endpoint.
async fn come_up(child: &mut Child, log: &Path) -> Result<String, String> {
    loop {
        if let Some((address, ops)) = addresses(&fs::read_to_string(log).unwrap_or_default())
            && is_ready(ops).await.unwrap_or(false)
        {
            return Ok(format!("https://{address}"));
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("it ended with {status}"));
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Where a gateway listens, as its log says.
fn addresses(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    log.lines().find_map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).ok()?;
        let address = |key| event.get(key)?.as_str()?.parse().ok();
        Some((address("address")?, address("ops_address")?))
    })
}

/// Whether `/readyz` says 200.
async fn is_ready(ops: SocketAddr) -> io::Result<bool> {
    let mut connection = TcpStream::connect(ops).await?;
    connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Directory;

    #[test]
    fn addresses_are_in_the_log() {
        let log = "{\"message\":\"other\"}\nnot json\n\
                   {\"level\":\"INFO\",\"message\":\"the gateway is up\",\"address\":\"127.0.0.1:7443\",\"ops_address\":\"127.0.0.1:9464\"}\n{\"half";
        let (address, ops) = addresses(log).unwrap();
        assert_eq!((address.port(), ops.port()), (7443, 9464));
        assert_eq!(addresses("{\"address\":\"127.0.0.1:7443\"}"), None);
    }

    #[test]
    fn a_site_has_what_a_gateway_reads_and_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let site = Site::build(parent.path(), Roll::flat(2), 1_000, 3_000_000).unwrap();
        let text = site.config.render();
        let file = parent.path().join("truc.toml");
        fs::write(&file, text).unwrap();
        let config = Config::load(Some(&file), std::iter::empty()).unwrap();
        assert_eq!((config.limits.stream_window, config.limits.mailbox_deliveries_max), (1_000, 3_000_000));
        assert_eq!(Directory::from_csv_files(&config.directory.files).unwrap().len(), 2);
        assert!(site.folder.join("pki/K99.B00002.key").exists());
        fs::remove_file(file).unwrap();
        drop(site);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
