//! What the host of a tcp endpoint stands for: addresses, names, network interfaces.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use if_addrs::Interface;
use tokio::net::{TcpSocket, lookup_host};

use crate::endpoint::{Host, HostPort};

/// Who knows the addresses of a name.
pub(crate) trait Resolver: Send + Sync + 'static {
    /// All addresses that the name has now.
    fn lookup(
        &self,
        name: &str,
        port: u16,
    ) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The operating system's resolver.
#[derive(Debug)]
pub(crate) struct SystemResolver;

impl Resolver for SystemResolver {
    async fn lookup(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((name, port)).await?.collect())
    }
}

/// All addresses that a host stands for: its own, an interface's, or what the resolver says now.
///
/// Names stand for IPv4 addresses alone unless `ipv6` is on; an address that is written out is what it is.
pub(crate) async fn resolve(
    resolver: &impl Resolver,
    address: &HostPort,
    ipv6: bool,
) -> io::Result<Vec<SocketAddr>> {
    let port = address.port;
    match &address.host {
        Host::Wildcard => Ok(vec![(any(ipv6, TcpSocket::new_v6), port).into()]),
        Host::Ip(ip) => Ok(vec![canonical((*ip, port).into())]),
        Host::Scoped { ip, scope } => {
            let index = match scope.parse() {
                Ok(index) => index,
                Err(_name) => interface_index(scope)?,
            };
            Ok(vec![SocketAddrV6::new(*ip, port, 0, index).into()])
        }
        Host::Name(name) => {
            let is_wanted = |address: &SocketAddr| ipv6 || address.is_ipv4();
            let interface = interface_addresses(name, port)?;
            if !interface.is_empty() {
                return Ok(interface.into_iter().filter(is_wanted).collect());
            }
            let found = resolver.lookup(name, port).await?.into_iter();
            Ok(found.map(canonical).filter(is_wanted).collect())
        }
    }
}

/// Where to connect to `target` from; none if no source has an address of its kind.
pub(crate) fn source_for(sources: &[SocketAddr], target: SocketAddr) -> Option<SocketAddr> {
    let of_its_kind = |source: &&SocketAddr| source.is_ipv4() == target.is_ipv4();
    if let Some(source) = sources.iter().find(of_its_kind) {
        return Some(*source);
    }
    // Any address of one kind stands for any of the other.
    let any = sources.iter().find(|source| source.ip().is_unspecified())?;
    Some((any_of_kind(target.is_ipv6()), any.port()).into())
}

/// An IPv4 address that is written as an IPv6 address, as the kernel reports peers of dual-stack listeners, as itself.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => (ip, address.port()).into(),
        IpAddr::V6(_) => address,
    }
}

/// The address that stands for all: IPv6's, which takes IPv4 too, if it is wanted and the kernel has it.
fn any(ipv6: bool, new_socket: impl FnOnce() -> io::Result<TcpSocket>) -> IpAddr {
    any_of_kind(ipv6 && new_socket().is_ok())
}

const fn any_of_kind(ipv6: bool) -> IpAddr {
    if ipv6 {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    }
}

/// The addresses of an interface: IPv6 first, and of those the ones that are valid on this link alone last.
fn interface_addresses(name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let mut found = if_addrs::get_if_addrs()?;
    found.retain(|interface| interface.name == name);
    found.sort_by_key(|interface| (interface.ip().is_ipv4(), interface.is_link_local()));
    let address = |interface: &Interface| match (interface.ip(), interface.index) {
        (IpAddr::V6(ip), Some(index)) if interface.is_link_local() => {
            SocketAddrV6::new(ip, port, 0, index).into()
        }
        (ip, _) => (ip, port).into(),
    };
    Ok(found.iter().map(address).collect())
}

fn interface_index(name: &str) -> io::Result<u32> {
    let all = if_addrs::get_if_addrs()?;
    let index = all
        .iter()
        .find(|interface| interface.name == name)
        .and_then(|interface| interface.index);
    index.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    #[test]
    fn the_wildcard_is_ipv6_if_it_is_wanted_and_there() {
        let none = || Err(io::ErrorKind::Unsupported.into());
        assert_eq!(
            any(false, || panic!("not asked for")),
            Ipv4Addr::UNSPECIFIED
        );
        assert_eq!(any(true, none), Ipv4Addr::UNSPECIFIED);
        if TcpSocket::new_v6().is_ok() {
            assert_eq!(any(true, TcpSocket::new_v6), Ipv6Addr::UNSPECIFIED);
        }
    }

    #[test]
    fn ipv4_is_never_written_as_ipv6() {
        for (address, expected) in [
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
            ("[fe80::1%7]:80", "[fe80::1%7]:80"),
        ] {
            assert_eq!(canonical(parse(address)), parse(expected));
        }
    }

    #[test]
    fn a_source_is_of_the_targets_kind() {
        let sources = ["10.0.0.1:0", "[fd00::1]:7"].map(parse);
        let any = ["0.0.0.0:9"].map(parse);
        for (sources, target, expected) in [
            (&sources[..], "10.0.0.2:80", Some("10.0.0.1:0")),
            (&sources[..], "[fd00::2]:80", Some("[fd00::1]:7")),
            (&sources[..1], "[fd00::2]:80", None),
            (&any[..], "10.0.0.2:80", Some("0.0.0.0:9")),
            (&any[..], "[fd00::2]:80", Some("[::]:9")),
        ] {
            assert_eq!(source_for(sources, parse(target)), expected.map(parse));
        }
    }

    /// §4.15: without the option a name stands for its IPv4 addresses.
    #[tokio::test]
    async fn names_stand_for_ipv4_unless_told_otherwise() {
        for name in ["localhost", "lo"] {
            let host = HostPort {
                host: Host::Name(name.into()),
                port: 80,
            };
            let old = resolve(&SystemResolver, &host, false).await.unwrap();
            assert!(old.contains(&parse("127.0.0.1:80")) && old.iter().all(SocketAddr::is_ipv4));
            let both = resolve(&SystemResolver, &host, true).await.unwrap();
            assert!(old.iter().all(|address| both.contains(address)), "{both:?}");
        }
    }
}
