//! TLS towards a server of somebody else's making, such as a message broker.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, version};

use super::error::Error;
use super::files::{self, Half};

/// A certificate chain and its private key, each in a file.
pub type Pair<'a> = (&'a Path, &'a Path);

/// TLS of a caller: the server's chain must end at one of the authorities in `ca` and nowhere else, its name is checked, and `own`
/// is shown where there is one. TLS 1.2 too, since the server's version is not ours to choose.
pub fn outgoing(ca: &Path, own: Option<Pair<'_>>) -> Result<Arc<ClientConfig>, Error> {
    let roots = files::roots_in(ca, files::read(ca)?)?;
    let builder = ClientConfig::builder_with_provider(files::provider())
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let certified = files::certified_key(
                Half { path: certificate, bytes: files::read(certificate)? },
                Half { path: key, bytes: files::read(key)? },
            )?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
