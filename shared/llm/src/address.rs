//! Which addresses a tenant's base URL may reach. Pure; the transport asks it again at every connect, because a name
//! that was harmless when it was checked may resolve to the metadata service a second later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::{Error, ErrorKind};

/// The longest base URL.
pub const MAX_URL: usize = 2048;
/// The ports that a public endpoint may use.
pub const PORTS: [u16; 1] = [443];

/// Everything that the IANA registries call special, and multicast and reserved space (224/3).
const DENIED_V4: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// All that is not global unicast (2000::/3), and the special ranges inside it.
/// The first row also covers `::`, `::1`, the discard prefix 100::/64 and the local NAT64 prefix 64:ff9b:1::/48;
/// the third covers fc00::/7, fe80::/10, fec0::/10 and ff00::/8.
const DENIED_V6: [(Ipv6Addr, u32); 6] = [
    (Ipv6Addr::UNSPECIFIED, 3),
    (Ipv6Addr::new(0x4000, 0, 0, 0, 0, 0, 0, 0), 2),
    (Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 0), 1),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether the address is on the public internet, also when an IPv4 address hides inside an IPv6 one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(inner) => is_public_v4(inner),
            None => !DENIED_V6.iter().any(|(network, prefix)| {
                let mask = u128::MAX << (128 - prefix);
                address.to_bits() & mask == network.to_bits()
            }),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !DENIED_V4.iter().any(|(network, prefix)| {
        let mask = u32::MAX << (32 - prefix);
        address.to_bits() & mask == network.to_bits()
    })
}

/// Mapped (::ffff:0:0/96), NAT64 (64:ff9b::/96) and 6to4 (2002::/16) addresses lead to the IPv4 address inside.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = address.to_bits();
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(Ipv4Addr::from_bits(bits as u32)),
        [0x2002, ..] => Some(Ipv4Addr::from_bits((bits >> 80) as u32)),
        _ => None,
    }
}

/// Whether a connection to this address may be opened for that host name.
///
/// Even where loopback is allowed, only `localhost` may lead there: a public name that resolves to 127.0.0.1 is an
/// attack on this machine.
pub fn may_connect(name: &str, address: IpAddr, allow_loopback: bool) -> bool {
    is_public(address) || (allow_loopback && is_localhost(name) && address.is_loopback())
}

/// Refuses base URLs that must never be called, before any packet is sent.
pub fn check(url: &Url, allow_loopback: bool) -> Result<(), Error> {
    let refuse = |detail| Err(Error::new(ErrorKind::Endpoint, detail));
    if url.as_str().len() > MAX_URL {
        return refuse("The base URL is longer than 2,048 bytes.");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return refuse("The base URL must not carry a user name, a password or a fragment.");
    }
    if allow_loopback && is_local(url) && matches!(url.scheme(), "http" | "https") {
        return Ok(());
    }
    let public = match url.host() {
        Some(Host::Domain(name)) => !is_localhost(name),
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        None => false,
    };
    if url.scheme() != "https" {
        return refuse("The base URL must use https.");
    }
    if !public {
        return refuse("The base URL's host is not a public address.");
    }
    if !url.port_or_known_default().is_some_and(|port| PORTS.contains(&port)) {
        return refuse("The base URL must use port 443.");
    }
    Ok(())
}

/// Whether the URL names this machine.
pub fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_localhost(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// RFC 6761 §6.3 reserves the name and everything below it.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost")
}
