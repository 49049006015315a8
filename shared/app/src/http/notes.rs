//! What a handler leaves for the layer stack: facts that belong into the answer's headers, whatever the answer is.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use sha2::{Digest, Sha256};

use crate::config;
use crate::limits::Standing;

/// One request's notes. Cheap to clone; every clone writes to the same sheet.
#[derive(Clone, Debug, Default)]
pub struct Notes(Arc<Mutex<Sheet>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Sheet {
    pub standing: Option<Standing>,
    pub origin: Option<HeaderValue>,
}

impl Notes {
    /// How much of its limit the caller has left.
    pub fn standing(&self, standing: Standing) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).standing = Some(standing);
    }

    /// A page of this origin may read the answer.
    pub fn readable_by(&self, origin: &HeaderValue) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).origin = Some(origin.clone());
    }

    pub(super) fn read(&self) -> Sheet {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Notes {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Notes>().cloned().unwrap_or_default())
    }
}

/// The other end of the connection, put into the request's extensions by a door that knows it.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Who is counted when nobody is known: the client's address, as the platform's proxy tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// Of a request that came through no door that knows one.
    pub fn unknown() -> ClientAddress {
        ClientAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
    }

    /// What an address is stored as: enough to count by, not enough to read off.
    pub fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.to_string()).iter().copied().take(16).collect()
    }

    /// The same, for a bucket's name.
    pub fn name(&self) -> String {
        self.hash().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A header counts only when the operator's platform sets it itself; a client could write any other.
    pub(super) fn of(headers: &HeaderMap, peer: Option<Peer>, config: &config::Front) -> ClientAddress {
        let trusted = config.address_header.as_ref().and_then(|name| headers.get(name)).and_then(|value| {
            // A list grows to the right: the last entry is the one that our own proxy wrote.
            let last = value.to_str().ok()?.rsplit(',').next()?.trim();
            address(last)
        });
        let known = trusted.or(peer.map(|Peer(address)| address));
        ClientAddress(network(known.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = || text.parse().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip());
    // CloudFront writes IPv6 with a port but without brackets.
    let unbracketed = || text.rsplit_once(':').and_then(|(address, _)| address.parse().ok());
    bare().or_else(with_port).or_else(unbracketed)
}

/// One subscriber has a whole /64 of IPv6 (RFC 6177), so its addresses count as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or_else(ClientAddress::unknown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_platforms_own_header_names_a_client() {
        let mut front = config::Front::default();
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", HeaderValue::from_static("203.0.113.7, 198.51.100.9"));
        let peer = Peer("192.0.2.1".parse().unwrap());
        let of =
            |headers: &HeaderMap, front: &config::Front| ClientAddress::of(headers, Some(peer), front).0.to_string();
        assert_eq!(of(&headers, &front), "192.0.2.1");
        front.address_header = Some(http::HeaderName::from_static("x-forwarded-for"));
        assert_eq!(of(&headers, &front), "198.51.100.9");
        for (written, read) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1:2::"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("nonsense", "192.0.2.1"),
        ] {
            headers.insert("x-forwarded-for", HeaderValue::from_str(written).unwrap());
            assert_eq!(of(&headers, &front), read, "{written}");
        }
    }
}
