//! Whose request it is: the connection's other end, or what a proxy of ours says stands behind it.
//!
//! Invariant: a client cannot choose its address. `X-Forwarded-For` is read from its end, and only as far back as each entry was
//! written by a proxy that the settings trust.

use crate::app::App;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::{Extensions, HeaderMap, HeaderName, request::Parts};
use ipnet::IpNet;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address as it is counted: of IPv6 the first 64 bits, since a single line gets that many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        })
    }
}

/// The proxies in front of this process; none unless they are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

/// Text that is no list of addresses and networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no list of addresses and networks")]
pub struct ParseProxiesError;

impl FromStr for Proxies {
    type Err = ParseProxiesError;

    fn from_str(text: &str) -> Result<Self, ParseProxiesError> {
        let network = |part: &str| match part.trim() {
            part if part.contains('/') => part.parse().ok(),
            part => part.parse::<IpAddr>().ok().map(IpNet::from),
        };
        let networks: Option<Vec<_>> = text.split(',').map(network).collect();
        networks.map(Self).ok_or(ParseProxiesError)
    }
}

impl Proxies {
    /// The network a request comes from.
    #[must_use]
    pub fn network(&self, extensions: &Extensions, headers: &HeaderMap) -> Network {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        self.client(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), headers).into()
    }

    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        while self.0.iter().any(|trusted| trusted.contains(&client)) {
            // What is no address was written by nobody we trust.
            let Some(next) = hops.next().and_then(|hop| hop.trim().parse::<IpAddr>().ok()) else { break };
            client = next.to_canonical();
        }
        client
    }
}

impl FromRequestParts<App> for Network {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(app.limits.proxies.network(&parts.extensions, &parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn client(trusted: &str, peer: &str, lines: &[&'static str]) -> String {
        let proxies = if trusted.is_empty() { Proxies::default() } else { trusted.parse().unwrap() };
        let headers = lines.iter().map(|line| (FORWARDED_FOR, HeaderValue::from_static(line)));
        proxies.client(peer.parse().unwrap(), &headers.collect()).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(client("", "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client("10.0.0.0/8", "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn a_trusted_proxy_is_believed_about_its_own_client_alone() {
        let trusted = "10.0.0.0/8, 127.0.0.1, ::1";
        assert_eq!(client(trusted, "127.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        // The first entry is what the client itself claimed.
        assert_eq!(client(trusted, "127.0.0.1", &["192.0.2.66, 198.51.100.1, 10.1.2.3"]), "198.51.100.1");
        assert_eq!(client(trusted, "::ffff:127.0.0.1", &["192.0.2.66, 198.51.100.1", "10.1.2.3"]), "198.51.100.1");
        assert_eq!(client(trusted, "127.0.0.1", &["192.0.2.66, unknown"]), "127.0.0.1");
        assert_eq!(client(trusted, "127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn a_line_has_one_network_however_many_addresses_it_uses() {
        let network = |text: &str| Network::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff::9"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn a_list_that_is_none_is_refused() {
        for wrong in ["", "localhost", "10.0.0.0/33", "127.0.0.1,"] {
            assert!(wrong.parse::<Proxies>().is_err(), "{wrong:?}");
        }
    }
}
