//! TLS of the gateway's listeners: certificate, client CAs and revocation lists from files, replaced while running.
//!
//! Sessions are never resumed: a resumed session skips the client's certificate, and with it the revocation lists,
//! which could have changed since. Callers hold their connections for hours, so a full handshake costs nothing.

mod crl;
mod verifier;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{ServerConfig, version};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::error::Error;
use super::files::{self, Half};
use super::live::Live;
pub use super::live::Rechecked;
use crate::domain::message::Hash;
use crate::domain::time::{Clock, Timestamp};
use crate::metrics::Metrics;
pub(super) use verifier::witnessed;

/// Where a listener's certificates are. Every path is read again by [`ServerTls::reload`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The gateway's certificate chain, its own certificate first (PEM, or one in DER).
    pub certificate: PathBuf,
    /// Its private key (PEM, not encrypted).
    pub key: PathBuf,
    /// The CAs whose certificates callers may use (PEM bundle, or one in DER).
    pub client_ca: PathBuf,
    /// Revocation lists of these CAs (PEM or DER); may be none.
    pub crls: Vec<PathBuf>,
    /// Takes callers that know TLS 1.2 only.
    pub tls12: bool,
}

/// TLS of the gateway's listeners, replaceable while running, and the connections it let in.
pub struct ServerTls {
    files: TlsFiles,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Loaded>,
    reloading: Mutex<()>,
    live: Arc<Live>,
    metrics: Arc<Metrics>,
}

/// What the files held at one time.
pub(super) struct Loaded {
    pub(super) config: Arc<ServerConfig>,
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    pub(super) tls12: bool,
    pub(super) contents: Hash,
    crls: Vec<crl::Crl>,
}

impl ServerTls {
    /// Loads the files.
    pub fn load(files: TlsFiles, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Result<Self, Error> {
        let loaded = build(&files, Contents::read(&files)?, &clock)?;
        loaded.warn_of_expired_crls(clock.now());
        let current = ArcSwap::from_pointee(loaded);
        Ok(Self {
            files,
            clock,
            current,
            reloading: Mutex::new(()),
            live: Arc::new(Live::new(metrics.connections.clone())),
            metrics,
        })
    }

    /// Loads the files again and uses what they hold for every handshake from now on; closes the open connections
    /// whose certificate the new files do not accept. On an error everything stays as it was.
    pub fn reload(&self) -> Result<Rechecked, Error> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        self.replace(Contents::read(&self.files)?)
    }

    /// Like [`Self::reload`] when a file has changed. In any case closes the connections whose certificate has
    /// expired meanwhile. Says whether anything was loaded.
    pub fn refresh(&self) -> Result<bool, Error> {
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        self.recheck();
        let contents = Contents::read(&self.files)?;
        if contents.hash() == self.current.load().contents {
            return Ok(false);
        }
        self.replace(contents).map(|_| true)
    }

    /// Verifies the certificate of every open connection again and closes those whose certificate fails.
    pub fn recheck(&self) -> Rechecked {
        let loaded = self.current.load_full();
        loaded.warn_of_expired_crls(self.clock.now());
        self.live.recheck(|chain| self.verify(&loaded, chain))
    }

    /// Calls [`Self::refresh`] again and again, for as long as the future is polled; `every` must not be zero. A
    /// failure goes to the log once, not at each turn.
    pub async fn follow(self: Arc<Self>, every: Duration) {
        let mut last_failure = None;
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let this = Arc::clone(&self);
            let Ok(refreshed) = tokio::task::spawn_blocking(move || this.refresh()).await else { return };
            let failure = refreshed.err().map(|e| e.to_string());
            if let Some(reason) = failure.as_ref().filter(|_| failure != last_failure) {
                tracing::error!(reason, "certificates were not reloaded; those loaded before stay in use");
            }
            last_failure = failure;
        }
    }

    /// The files it was loaded from.
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.live.len()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    pub(super) fn current(&self) -> Arc<Loaded> {
        self.current.load_full()
    }

    /// Says why a chain is not acceptable any more, if something newer than `then` is loaded and does not accept it.
    pub(super) fn verify_since(
        &self,
        then: &Arc<Loaded>,
        chain: &[CertificateDer<'_>],
    ) -> Result<(), rustls::Error> {
        let now = self.current.load_full();
        if Arc::ptr_eq(&now, then) { Ok(()) } else { self.verify(&now, chain) }
    }

    fn verify(&self, loaded: &Loaded, chain: &[CertificateDer<'_>]) -> Result<(), rustls::Error> {
        let (leaf, intermediates) = chain.split_first().ok_or(rustls::Error::NoCertificatesPresented)?;
        loaded.verifier.verify_client_cert(leaf, intermediates, unix_time(self.clock.now())).map(|_| ())
    }

    fn replace(&self, contents: Contents) -> Result<Rechecked, Error> {
        let loaded = build(&self.files, contents, &self.clock)?;
        self.current.store(Arc::new(loaded));
        let rechecked = self.recheck();
        tracing::info!(kept = rechecked.kept, cut = rechecked.cut, "certificates were reloaded");
        Ok(rechecked)
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls")
            .field("files", &self.files)
            .field("live", &self.live)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    fn warn_of_expired_crls(&self, now: Timestamp) {
        for crl in &self.crls {
            crl.warn_if_expired(now);
        }
    }
}

/// The bytes of all the files, read at one go.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Vec<u8>,
    crls: Vec<Vec<u8>>,
}

impl Contents {
    fn read(files: &TlsFiles) -> Result<Self, Error> {
        Ok(Self {
            certificate: files::read(&files.certificate)?,
            key: files::read(&files.key)?,
            client_ca: files::read(&files.client_ca)?,
            crls: files.crls.iter().map(|path| files::read(path)).collect::<Result<_, _>>()?,
        })
    }

    fn hash(&self) -> Hash {
        let three = [&self.certificate, &self.key, &self.client_ca];
        Hash::of_parts(three.into_iter().chain(&self.crls).map(Vec::as_slice))
    }
}

fn build(files: &TlsFiles, contents: Contents, clock: &Arc<dyn Clock>) -> Result<Loaded, Error> {
    let hash = contents.hash();
    let certified = Arc::new(files::certified_key(
        Half { path: &files.certificate, bytes: contents.certificate },
        Half { path: &files.key, bytes: contents.key },
    )?);
    let authorities = files::certificates_in(&files.client_ca, contents.client_ca.clone())?;
    let roots = Arc::new(files::roots_in(&files.client_ca, contents.client_ca)?);
    let lists: Vec<(&Path, Vec<u8>)> = files.crls.iter().map(PathBuf::as_path).zip(contents.crls).collect();
    let crls = crl::load(lists, &roots, &authorities)?;
    let verifier = verifier::build(&roots, &crls)?;
    let versions: &[_] = if files.tls12 { &[&version::TLS13, &version::TLS12] } else { &[&version::TLS13] };
    let mut config =
        ServerConfig::builder_with_details(files::provider(), Arc::new(ClockTime(Arc::clone(clock))))
            .with_protocol_versions(versions)?
            .with_client_cert_verifier(Arc::clone(&verifier))
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&certified))));
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    let (config, tls12) = (Arc::new(config), files.tls12);
    Ok(Loaded { config, certified, verifier, tls12, contents: hash, crls })
}

/// The gateway's clock, as TLS asks for it.
pub(super) struct ClockTime(pub Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(unix_time(self.0.now()))
    }
}

impl fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockTime")
    }
}

fn unix_time(now: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(now.since(Timestamp::EPOCH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::SystemClock;
    use crate::identity::pki::{Ca, Existing, Revoke, Subject, Validity};

    #[test]
    fn a_handshake_begun_before_a_reload_is_judged_by_what_was_loaded_since() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemClock.now();
        let ca = Ca::create(dir.path(), now, Existing::Keep).unwrap();
        let issue = |subject| ca.issue(&subject, Validity::days(now, 1), Existing::Keep).unwrap();
        let server = issue(Subject::Server { dns: vec!["localhost".into()], ips: vec![] });
        let caller = issue(Subject::Operator("lan".into()));
        let files = TlsFiles {
            certificate: server.certificate,
            key: server.key,
            client_ca: ca.certificate_path(),
            crls: vec![ca.crl_path()],
            tls12: false,
        };
        let tls = ServerTls::load(files, Arc::new(SystemClock), Arc::new(Metrics::unobserved())).unwrap();
        let chain = files::certificates(&caller.certificate).unwrap();
        let then = tls.current();
        assert_eq!(tls.verify_since(&then, &chain), Ok(()));
        ca.revoke(Revoke::Serial(&caller.serial), now).unwrap();
        tls.reload().unwrap();
        let revoked = rustls::Error::InvalidCertificate(rustls::CertificateError::Revoked);
        assert_eq!(tls.verify_since(&then, &chain), Err(revoked));
    }
}
