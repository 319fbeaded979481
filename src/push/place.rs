//! An endpoint as agencies write it: `https://host:port`.

use http::Uri;

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As it was written.
    pub uri: Uri,
    /// The host, an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Place {
    /// Understands an endpoint; nothing when it is not of the form.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if uri.scheme_str() != Some("https") || !bare || authority.as_str().contains('@') {
            return None;
        }
        let port = match authority.as_str().strip_prefix(uri.host()?)? {
            "" => 443,
            port => port.strip_prefix(':')?.parse().ok()?,
        };
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        rustls_pki_types::ServerName::try_from(host.as_str()).ok()?;
        (port != 0).then_some(Self { uri, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_host_and_a_port_over_tls() {
        for (text, host, port) in [
            ("https://inbox.danang.gov.vn:8443", "inbox.danang.gov.vn", 8443),
            ("https://inbox.danang.gov.vn/", "inbox.danang.gov.vn", 443),
            ("https://203.162.1.1:7443", "203.162.1.1", 7443),
            ("https://[2405:4800::1]:7443", "2405:4800::1", 7443),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!((place.host.as_str(), place.port), (host, port));
        }
        for wrong in [
            "",
            "inbox:8443",
            "http://inbox:8443",
            "ftp://inbox",
            "https://inbox/path",
            "https://inbox?q",
            "https://",
            "https://user@inbox:8443",
            "https://in box",
            "https://inbox:0",
            "https://inbox:99999",
            "https://-:1",
        ] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }
}
