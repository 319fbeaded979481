//! The connections that are open: how many there may be, and closing those whose certificate is no longer good.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::Gauge;
use rustls_pki_types::CertificateDer;
use tokio_util::sync::CancellationToken;

use super::peer::Peer;
use crate::domain::message::Hash;

/// The open connections of one [`super::tls::ServerTls`].
pub(super) struct Live {
    open: Mutex<Open>,
    gauge: Gauge,
}

#[derive(Default)]
struct Open {
    next: u64,
    connections: HashMap<u64, Connection>,
    of_certificate: HashMap<Hash, usize>,
}

#[derive(Clone)]
struct Connection {
    peer: Arc<Peer>,
    address: SocketAddr,
    chain: Arc<[CertificateDer<'static>]>,
    cut: CancellationToken,
}

/// What a look through the open connections came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rechecked {
    /// Connections whose certificate is still good.
    pub kept: usize,
    /// Connections that were closed because theirs is not.
    pub cut: usize,
}

/// How many connections there may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub connections: usize,
    pub of_one_certificate: usize,
}

/// Why there is no room for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    #[error("the limit of {0} connections is reached")]
    InAll(usize),
    #[error("the limit of {0} connections with one certificate is reached")]
    OfCertificate(usize),
}

/// A place among the open connections; dropping it gives the place back.
pub(super) struct Place {
    live: Arc<Live>,
    id: u64,
    fingerprint: Hash,
    cut: CancellationToken,
}

impl Live {
    /// No connection yet; `gauge` shows how many there are.
    pub(super) fn new(gauge: Gauge) -> Self {
        Self { open: Mutex::default(), gauge }
    }

    /// Takes a place for a connection.
    pub(super) fn admit(
        self: &Arc<Self>,
        peer: &Arc<Peer>,
        address: SocketAddr,
        chain: &[CertificateDer<'static>],
        room: Room,
    ) -> Result<Place, Full> {
        let cut = CancellationToken::new();
        let mut open = self.lock();
        if open.connections.len() >= room.connections {
            return Err(Full::InAll(room.connections));
        }
        let same = open.of_certificate.entry(peer.fingerprint).or_default();
        if *same >= room.of_one_certificate {
            return Err(Full::OfCertificate(room.of_one_certificate));
        }
        *same += 1;
        let id = open.next;
        open.next += 1;
        let connection =
            Connection { peer: Arc::clone(peer), address, chain: chain.into(), cut: cut.clone() };
        open.connections.insert(id, connection);
        self.gauge.increment(1.0);
        Ok(Place { live: Arc::clone(self), id, fingerprint: peer.fingerprint, cut })
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.lock().connections.len()
    }

    /// Closes the connections whose chain does not pass.
    pub(super) fn recheck(
        &self,
        verify: impl Fn(&[CertificateDer<'static>]) -> Result<(), rustls::Error>,
    ) -> Rechecked {
        let connections: Vec<Connection> = self.lock().connections.values().cloned().collect();
        let mut verdicts: HashMap<&[CertificateDer<'static>], Result<(), rustls::Error>> = HashMap::new();
        let mut rechecked = Rechecked::default();
        for Connection { peer, address, chain, cut } in &connections {
            match verdicts.entry(chain).or_insert_with(|| verify(chain)) {
                Ok(()) => rechecked.kept += 1,
                Err(reason) => {
                    rechecked.cut += 1;
                    cut.cancel();
                    tracing::warn!(
                        peer = %address,
                        subject = peer.subject,
                        serial = peer.serial,
                        %reason,
                        "connection closed: its certificate is no longer good"
                    );
                }
            }
        }
        rechecked
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Live({})", self.len())
    }
}

impl Place {
    /// Told when the connection has to close.
    pub(super) fn cut(&self) -> &CancellationToken {
        &self.cut
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.live.lock();
        open.connections.remove(&self.id);
        if let Some(same) = open.of_certificate.get_mut(&self.fingerprint) {
            *same -= 1;
            if *same == 0 {
                open.of_certificate.remove(&self.fingerprint);
            }
        }
        self.live.gauge.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Role;

    fn peer(name: &str) -> Arc<Peer> {
        Arc::new(Peer {
            role: Role::Operator(name.into()),
            no_role: None,
            subject: format!("CN={name}"),
            serial: "01".into(),
            fingerprint: Hash::of(name.as_bytes()),
        })
    }

    fn admit(live: &Arc<Live>, name: &str) -> Result<Place, Full> {
        let chain = [CertificateDer::from(name.as_bytes().to_vec())];
        let room = Room { connections: 3, of_one_certificate: 2 };
        live.admit(&peer(name), ([127, 0, 0, 1], 1).into(), &chain, room)
    }

    #[test]
    fn places_are_limited_in_all_and_per_certificate_and_given_back() {
        let live = Arc::new(Live::new(Gauge::noop()));
        let first = admit(&live, "lan").unwrap();
        let second = admit(&live, "lan").unwrap();
        assert_eq!(admit(&live, "lan").err(), Some(Full::OfCertificate(2)));
        let third = admit(&live, "minh").unwrap();
        assert_eq!(admit(&live, "tam").err(), Some(Full::InAll(3)));
        drop(first);
        let again = admit(&live, "lan").unwrap();
        assert_eq!(live.len(), 3);
        drop((second, third, again));
        assert_eq!(live.len(), 0);
        assert!(live.lock().of_certificate.is_empty());
    }

    #[test]
    fn a_recheck_cuts_the_bad_ones_only_and_verifies_each_chain_once() {
        let live = Arc::new(Live::new(Gauge::noop()));
        let (good, bad1, bad2) =
            (admit(&live, "lan").unwrap(), admit(&live, "m").unwrap(), admit(&live, "m").unwrap());
        let asked = std::cell::Cell::new(0);
        let rechecked = live.recheck(|chain| {
            asked.set(asked.get() + 1);
            if chain[0].as_ref() == b"m" { Err(rustls::Error::DecryptError) } else { Ok(()) }
        });
        assert_eq!(rechecked, Rechecked { kept: 1, cut: 2 });
        assert_eq!(asked.get(), 2);
        assert!(!good.cut().is_cancelled() && bad1.cut().is_cancelled() && bad2.cut().is_cancelled());
    }
}
