//! Who is at the other end: certificates in and out, TLS on every connection that leaves the machine, and the
//! development CA that makes both possible without one's own.
//!
//! A connection exists only after a handshake in which both sides proved a certificate; what the certificate says
//! is the [`Peer`], and handlers find it as an `Arc<Peer>` among a request's extensions. What a peer may do is not
//! decided here.

pub mod accept;
pub mod certificate;
pub mod client;
pub mod endpoint;
mod error;
mod files;
mod live;
pub mod outgoing;
mod peer;
pub mod pki;
pub mod tls;

pub use certificate::{CertificateFacts, inspect};
pub use error::{Error, Malformed};
pub use peer::{NoRole, Peer, Role};
