//! Which addresses the gateway calls for an agency. Without such a rule an agency could have it connect to machines beside it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network by its address and the leading bits that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(pub IpAddr, pub u8);

/// What an operator allows beside public addresses, and what not even then.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Networks that may be called although they are not public.
    pub allow: Vec<Network>,
    /// Networks that are never called.
    pub deny: Vec<Network>,
}

/// IPv4 networks that are nobody's on the Internet, or not for one machine (IANA special-purpose registry).
const SPECIAL_V4: [([u8; 4], u8); 16] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 3),
];

/// The only IPv6 network of public addresses, and what of it is special: protocols' own, tunnels to IPv4, documentation.
const PUBLIC_V6: Network = Network(IpAddr::V6(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0)), 3);
const SPECIAL_V6: [([u16; 2], u8); 4] =
    [([0x2001, 0], 23), ([0x2001, 0xdb8], 32), ([0x2002, 0], 16), ([0x3fff, 0], 20)];

impl Network {
    /// Whether an address is in it.
    pub fn holds(self, address: IpAddr) -> bool {
        let shift = |bits: u32| bits.saturating_sub(self.1.into());
        match (self.0, address) {
            (IpAddr::V4(net), IpAddr::V4(address)) => {
                let differ = net.to_bits() ^ address.to_bits();
                differ.checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(net), IpAddr::V6(address)) => {
                let differ = net.to_bits() ^ address.to_bits();
                differ.checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl Targets {
    /// Whether an address may be called.
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let among = |networks: &[Network]| networks.iter().any(|network| network.holds(address));
        !among(&self.deny) && (among(&self.allow) || is_public(address))
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => {
            let special = |(net, prefix): &([u8; 4], u8)| Network(Ipv4Addr::from(*net).into(), *prefix);
            !SPECIAL_V4.iter().any(|net| special(net).holds(address))
        }
        IpAddr::V6(_) => {
            let special = |([a, b], prefix): &([u16; 2], u8)| {
                Network(Ipv6Addr::new(*a, *b, 0, 0, 0, 0, 0, 0).into(), *prefix)
            };
            PUBLIC_V6.holds(address) && !SPECIAL_V6.iter().any(|net| special(net).holds(address))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_public_addresses_are_called_by_default() {
        let targets = Targets::default();
        for public in ["203.162.1.1", "8.8.8.8", "172.32.0.1", "2405:4800::1", "2606:4700::1111"] {
            assert!(targets.permit(ip(public)), "{public}");
        }
        for special in [
            "127.0.0.1",
            "127.8.8.8",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "2001::1",
            "2002:a00:1::",
        ] {
            assert!(!targets.permit(ip(special)), "{special}");
        }
    }

    #[test]
    fn an_operator_opens_a_network_and_closes_a_part_of_it() {
        let targets = Targets {
            allow: vec![Network(ip("10.20.0.0"), 16), Network(ip("fd00::"), 8)],
            deny: vec![
                Network(ip("10.20.5.0"), 24),
                Network(ip("8.8.8.8"), 32),
                Network(ip("10.20.9.9"), 32),
            ],
        };
        for (address, permitted) in [
            ("10.20.1.1", true),
            ("::ffff:10.20.1.1", true),
            ("10.21.1.1", false),
            ("10.20.5.9", false),
            ("10.20.9.9", false),
            ("10.20.9.8", true),
            ("8.8.8.8", false),
            ("8.8.4.4", true),
            ("fd12::1", true),
        ] {
            assert_eq!(targets.permit(ip(address)), permitted, "{address}");
        }
        assert!(Targets { allow: vec![Network(ip("0.0.0.0"), 0)], deny: vec![] }.permit(ip("127.0.0.1")));
    }
}
