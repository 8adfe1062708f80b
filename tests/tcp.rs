//! tcp: IPv4 and IPv6 together, interfaces, and where connections come from.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};

use privateer::core::{
    BindError, ConnectFailure, Endpoint, Linger, Peer, PullSocket, PushSocket, SocketEvent,
    SocketOptions,
};
use tokio::net::TcpStream;

mod support;
use support::sockets::{Socket, eager, has_ipv6, skip, soon};

/// Q16, §4.13: with IPv6 the wildcard takes both kinds, and who comes by IPv4 has an IPv4 address.
#[tokio::test]
async fn the_wildcard_takes_both_kinds_with_ipv6() {
    if !has_ipv6() {
        return;
    }
    let pull = PullSocket::with(SocketOptions::new().ipv6());
    let endpoint = pull.bind_to("tcp://*:*").await;
    let port = port_of(&endpoint);
    assert_eq!(endpoint.to_string(), format!("tcp://[::]:{port}"));
    for (target, expected) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] {
        let push = PushSocket::usual();
        let [theirs, ours] = meet(&push, &pull, &format!("tcp://{target}:{port}")).await;
        assert_eq!(address_of(&theirs).ip().to_string(), expected);
        assert_eq!(address_of(&ours).port(), port);
        push.send(target).await.unwrap();
        assert_eq!(soon(pull.recv()).await.unwrap()[0], target);
    }
    soon(pull.unbind("tcp://*:*")).await.unwrap();
}

/// Q16: IPv4 addresses that are written as IPv6 addresses are what they are.
#[tokio::test]
async fn a_mapped_address_is_an_ipv4_address() {
    let (pull, push) = (PullSocket::usual(), PushSocket::usual());
    let endpoint = pull.bind_to("tcp://[::ffff:127.0.0.1]:*").await;
    let port = port_of(&endpoint);
    assert_eq!(endpoint.to_string(), format!("tcp://127.0.0.1:{port}"));
    let mapped = format!("tcp://[::ffff:127.0.0.1]:{port}");
    let [theirs, ours] = meet(&push, &pull, &mapped).await;
    assert_eq!(address_of(&theirs).ip().to_string(), "127.0.0.1");
    assert_eq!(address_of(&ours), SocketAddr::from(([127, 0, 0, 1], port)));
}

/// Q16: so they are in events of connections that come to nothing.
#[tokio::test]
async fn a_failed_handshake_is_reported_with_the_ipv4_address() {
    if !has_ipv6() {
        return;
    }
    let pull = PullSocket::with(SocketOptions::new().ipv6());
    let mut watch = pull.watch();
    let port = port_of(&pull.bind_to("tcp://*:*").await);
    let stream = soon(TcpStream::connect(("127.0.0.1", port))).await.unwrap();
    let address = stream.local_addr().unwrap();
    drop(stream);
    let reported = watch.find(|event| match event {
        SocketEvent::HandshakeFailed { connection, .. } => {
            connection.remote_address().map(ToOwned::to_owned)
        }
        _ => None,
    });
    assert_eq!(reported.await, address.to_string());
}

/// §4.15: without the option the wildcard is IPv4 alone.
#[tokio::test]
async fn the_wildcard_is_ipv4_without_the_option() {
    let pull = PullSocket::usual();
    let endpoint = pull.bind_to("tcp://*:*").await;
    let port = port_of(&endpoint);
    assert_eq!(endpoint.to_string(), format!("tcp://0.0.0.0:{port}"));
    if has_ipv6() {
        let error = soon(TcpStream::connect(("::1", port))).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}

/// Whoever writes an IPv6 address out wants IPv6.
#[tokio::test]
async fn an_address_in_brackets_needs_no_option() {
    if !has_ipv6() {
        return;
    }
    let (pull, push) = (PullSocket::usual(), PushSocket::usual());
    let endpoint = pull.bind_to("tcp://[::1]:*").await;
    let [theirs, _] = meet(&push, &pull, &endpoint.to_string()).await;
    assert_eq!(address_of(&theirs).ip(), Ipv6Addr::LOCALHOST);
}

/// Q16: the name of an interface stands for its address, IPv6's with the option.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_interface_stands_for_its_address() {
    let mut cases = vec![(SocketOptions::new(), "127.0.0.1")];
    if has_ipv6() {
        cases.push((SocketOptions::new().ipv6(), "[::1]"));
    }
    for (options, expected) in cases {
        let (pull, push) = (PullSocket::with(options.clone()), PushSocket::with(options));
        let endpoint = pull.bind_to("tcp://lo:*").await;
        let port = port_of(&endpoint);
        assert_eq!(endpoint.to_string(), format!("tcp://{expected}:{port}"));
        meet(&push, &pull, &format!("tcp://lo:{port}")).await;
        soon(pull.unbind("tcp://lo:*")).await.unwrap();
    }
    let error = soon(PullSocket::usual().bind("tcp://nointerface0:*")).await;
    assert!(matches!(error.unwrap_err(), BindError::Io { .. }));
}

/// Q16: an address that is valid on one link alone names its interface, by name or by number.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_link_local_address_has_a_scope() {
    let Some((ip, index, name)) = link_local() else {
        // Not even with `CI=true`: a machine whose only network is its own has none.
        return skip("scopes of IPv6: no interface has a link-local address");
    };
    for scope in [&name, &index.to_string()] {
        let (pull, push) = (PullSocket::usual(), PushSocket::usual());
        let endpoint = pull.bind_to(&format!("tcp://[{ip}%{scope}]:*")).await;
        let port = port_of(&endpoint);
        assert_eq!(endpoint.to_string(), format!("tcp://[{ip}%{index}]:{port}"));
        meet(&push, &pull, &format!("tcp://[{ip}%{scope}]:{port}")).await;
    }
    let (pull, push) = (PullSocket::usual(), PushSocket::usual());
    let error = soon(pull.bind(format!("tcp://[{ip}%nointerface0]:*"))).await;
    assert!(matches!(error.unwrap_err(), BindError::Io { .. }));
    let mut watch = push.watch();
    push.try_connect_to(&format!("tcp://[{ip}%nointerface0]:1"))
        .unwrap();
    assert_eq!(watch.retrying().await, ConnectFailure::Unresolved);
}

/// A link-local address of this machine, with the number and the name of its interface.
#[cfg(target_os = "linux")]
fn link_local() -> Option<(Ipv6Addr, u32, String)> {
    // Each line: address, index, length of the prefix, scope (20 is link-local), flags, name.
    let interfaces = std::fs::read_to_string("/proc/net/if_inet6").ok()?;
    interfaces.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [address, index, _prefix, "20", _flags, name] = fields[..] else {
            return None;
        };
        let bits = u128::from_str_radix(address, 16).ok()?;
        let index = u32::from_str_radix(index, 16).ok()?;
        Some((Ipv6Addr::from_bits(bits), index, name.to_owned()))
    })
}

/// Q16: where a connection is to come from stands before the semicolon: an address, an interface, a port.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_comes_from_its_source() {
    let source_port = TcpListener::bind("127.0.0.3:0").unwrap().local_addr();
    let source_port = source_port.unwrap().port();
    let own_port = format!("127.0.0.3:{source_port}");
    let mut cases = vec![
        ("127.0.0.1", "127.0.0.2:*", "127.0.0.2"),
        ("127.0.0.1", "127.0.0.2:0", "127.0.0.2"),
        ("127.0.0.1", &*own_port, "127.0.0.3"),
        ("127.0.0.2", "lo:*", "127.0.0.1"),
        ("127.0.0.1", "*:*", "127.0.0.1"),
    ];
    if has_ipv6() {
        cases.push(("[::1]", "[::1]:*", "::1"));
        cases.push(("[::1]", "*:*", "::1"));
    }
    for (host, source, expected) in cases {
        let (pull, push) = (PullSocket::usual(), PushSocket::with(eager()));
        let port = port_of(&pull.bind_to(&format!("tcp://{host}:*")).await);
        let text = format!("tcp://{source};{host}:{port}");
        let [theirs, ours] = meet(&push, &pull, &text).await;
        let address = address_of(&theirs);
        assert_eq!(address.ip(), expected.parse::<IpAddr>().unwrap());
        if source == own_port {
            assert_eq!(address.port(), source_port);
        }
        assert_eq!(address_of(&ours).port(), port);
        assert_eq!(soon(push.disconnect(&*text)).await.unwrap().unsent, 0);
    }
}

/// A source that this machine does not have is told, and tried again.
#[tokio::test]
async fn a_source_of_somebody_else_is_an_error() {
    let (pull, push) = (PullSocket::usual(), PushSocket::usual());
    let mut watch = push.watch();
    let port = port_of(&pull.bind_to("tcp://127.0.0.1:*").await);
    // An address for documentation (RFC 5737).
    push.try_connect_to(&format!("tcp://192.0.2.1:*;127.0.0.1:{port}"))
        .unwrap();
    let failure = ConnectFailure::Io(io::ErrorKind::AddrNotAvailable);
    assert_eq!(watch.retrying().await, failure);
    assert!(pull.peers().is_empty());
    push.end(Linger::Discard).await;
}

/// Connects, and waits for each side's peer: the connecter as the bound socket has it, and the other way.
async fn meet(push: &PushSocket, pull: &PullSocket, endpoint: &str) -> [Peer; 2] {
    let (mut bound, mut connected) = (pull.watch(), push.watch());
    push.try_connect_to(endpoint).unwrap();
    [bound.connected().await, connected.connected().await]
}

fn address_of(peer: &Peer) -> SocketAddr {
    peer.remote_address().unwrap().parse().unwrap()
}

fn port_of(endpoint: &Endpoint) -> u16 {
    let endpoint = endpoint.to_string();
    endpoint.rsplit(':').next().unwrap().parse().unwrap()
}
