//! The two ports of a sandbox.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::cli::exit::Exit;

/// The ports of the default configuration's kind, when nobody says otherwise.
const PORT_BASE_DEFAULT: u16 = 7443;

/// Addresses for gRPC and for metrics and probes. Ports that were asked for must be free; those that were not are replaced
/// by port 0, which is any free one.
pub fn choose(base: Option<u16>) -> Result<(SocketAddr, SocketAddr), Exit> {
    let (grpc, ops) = match base.unwrap_or(PORT_BASE_DEFAULT) {
        0 => (0, 0),
        base => (base, base.saturating_add(1)),
    };
    for port in [grpc, ops] {
        let Err(error) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else { continue };
        if base.is_some() {
            let what = match error.kind() {
                ErrorKind::AddrInUse => "is taken by another program".to_owned(),
                _ => format!("cannot be used: {error}"),
            };
            return Err(Exit::usage(format_args!("port {port} {what}; choose another --port-base, or 0 for free ones")));
        }
        return Ok((loopback(0), loopback(0)));
    }
    Ok((loopback(grpc), loopback(ops)))
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_said_to_be_when_it_was_asked_for() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let Err(Exit::Usage(why)) = choose(Some(port)) else { panic!("port {port} is taken") };
        assert!(why.contains(&port.to_string()), "{why}");
        assert_eq!(choose(Some(0)).unwrap(), (loopback(0), loopback(0)));
        assert!(choose(None).is_ok());
    }
}
