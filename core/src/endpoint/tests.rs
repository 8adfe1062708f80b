//! Tests of endpoints.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Result<Endpoint, EndpointError> {
    text.parse()
}

fn host_port(text: &str) -> HostPort {
    match parse(&format!("tcp://{text}")).unwrap().0 {
        Address::Tcp(tcp) => tcp.target,
        other => panic!("{other:?}"),
    }
}

#[test]
fn endpoints_are_printed_as_they_are_written() {
    for text in [
        "tcp://localhost:5555",
        "tcp://192.168.1.1:1",
        "tcp://eth0:5555",
        "tcp://my_host-1.example.org:65535",
        "tcp://*:5555",
        "tcp://*:*",
        "tcp://lo:*",
        "tcp://[::1]:5555",
        "tcp://[::]:*",
        "tcp://[fe80::1%eth0]:5555",
        "tcp://192.168.1.17:5556;192.168.1.1:5555",
        "tcp://eth0:*;host:5555",
        "tcp://*:5556;[::1]:5555",
        "ipc:///tmp/service.sock",
        "ipc://relative/with space;and:more",
        "ipc://@abstract",
        "ipc://*",
        "inproc://name",
        "memory://name",
        "inproc://tcp://*:*",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
}

#[test]
fn the_parts_are_as_written() {
    assert_eq!(
        host_port("*:*"),
        HostPort {
            host: Host::Wildcard,
            port: 0
        }
    );
    assert_eq!(host_port("*:0"), host_port("*:*"));
    assert_eq!(host_port("lo:1").host, Host::Name("lo".into()));
    assert_eq!(
        host_port("127.0.0.1:1").host,
        Host::Ip([127, 0, 0, 1].into())
    );
    assert_eq!(
        host_port("[0:0::1]:1").host,
        Host::Ip(Ipv6Addr::LOCALHOST.into())
    );
    assert_eq!(
        host_port("[fe80::2%3]:1").host,
        Host::Scoped {
            ip: "fe80::2".parse().unwrap(),
            scope: "3".into()
        }
    );
    let from = parse("tcp://a:*;b:2").unwrap();
    assert_eq!(
        *from.address(),
        Address::Tcp(TcpAddress {
            source: Some(host_port("a:0")),
            target: host_port("b:2")
        })
    );
    let ipc = |text| parse(text).unwrap().0;
    assert_eq!(
        ipc("ipc://@a"),
        Address::Ipc(IpcAddress::Abstract("a".into()))
    );
    assert_eq!(
        ipc("ipc://./a"),
        Address::Ipc(IpcAddress::Path("./a".into()))
    );
    assert_eq!(ipc("ipc://*"), Address::Ipc(IpcAddress::Wildcard));
    assert_eq!(ipc("inproc://a"), Address::Inproc("a".into()));
}

#[test]
fn a_bound_address_becomes_an_endpoint() {
    for (address, text) in [
        ("127.0.0.1:5555", "tcp://127.0.0.1:5555"),
        ("[::1]:5555", "tcp://[::1]:5555"),
        ("[fe80::1%2]:5555", "tcp://[fe80::1%2]:5555"),
    ] {
        let endpoint = Endpoint::tcp(address.parse().unwrap());
        assert_eq!(endpoint.to_string(), text);
        assert_eq!(parse(text), Ok(endpoint));
    }
}

#[test]
fn only_known_schemes_are_accepted() {
    for endpoint in ["", "localhost:5555", "tcp:/host:1"] {
        let error = EndpointError::MissingScheme {
            endpoint: endpoint.into(),
        };
        assert_eq!(parse(endpoint), Err(error));
    }
    for scheme in ["", "udp", "TCP", " tcp"] {
        let error = EndpointError::UnknownScheme {
            scheme: scheme.into(),
        };
        assert_eq!(parse(&format!("{scheme}://*:1")), Err(error));
    }
}

#[test]
fn a_tcp_address_needs_a_port() {
    for (text, address) in [
        ("", ""),
        ("host", "host"),
        ("[::1]", "[::1]"),
        ("a:1;host", "host"),
        (";a:1", ""),
    ] {
        let error = EndpointError::MissingPort {
            address: address.into(),
        };
        assert_eq!(parse(&format!("tcp://{text}")), Err(error));
    }
    for port in ["", "http", "99999", "65536", "+1", "-1", " 1", "5555/"] {
        let error = EndpointError::InvalidPort { port: port.into() };
        assert_eq!(parse(&format!("tcp://host:{port}")), Err(error));
    }
}

#[test]
fn a_tcp_address_needs_a_host() {
    assert_eq!(
        parse("tcp://:5555"),
        Err(EndpointError::MissingHost { port: 5555 })
    );
    for host in ["my host", "a/b", "**", "user@host"] {
        let error = EndpointError::InvalidHost { host: host.into() };
        assert_eq!(parse(&format!("tcp://{host}:1")), Err(error));
    }
    for host in ["::1", "fe80::1%eth0", "a:b"] {
        let error = EndpointError::UnbracketedIpv6 { host: host.into() };
        assert_eq!(parse(&format!("tcp://{host}:1")), Err(error));
    }
    for host in [
        "[host]",
        "[127.0.0.1]",
        "[::1",
        "[]",
        "[fe80::1%]",
        "[::1]]",
    ] {
        let error = EndpointError::InvalidIpv6 {
            address: host.into(),
        };
        assert_eq!(parse(&format!("tcp://{host}:1")), Err(error));
    }
}

#[test]
fn ipc_and_inproc_need_a_name() {
    for (text, error) in [
        ("ipc://", EndpointError::MissingPath),
        ("ipc://@", EndpointError::MissingPath),
        ("ipc://a\0b", EndpointError::PathWithZero),
        ("inproc://", EndpointError::MissingName),
    ] {
        assert_eq!(parse(text), Err(error));
    }
}

#[test]
fn paths_and_names_have_limits() {
    assert!(parse(&format!("ipc://{}", "a".repeat(107))).is_ok());
    assert!(parse(&format!("ipc://@{}", "a".repeat(106))).is_ok());
    assert_eq!(
        parse(&format!("ipc://{}", "a".repeat(108))),
        Err(EndpointError::PathTooLong { len: 108 })
    );
    assert_eq!(
        parse(&format!("ipc://@{}", "a".repeat(107))),
        Err(EndpointError::PathTooLong { len: 108 })
    );
    assert!(parse(&format!("inproc://{}", "a".repeat(255))).is_ok());
    assert_eq!(
        parse(&format!("inproc://{}", "a".repeat(256))),
        Err(EndpointError::NameTooLong { len: 256 })
    );
}

#[test]
fn wildcards_are_for_bind_and_sources_for_connect() {
    for (text, expected) in [
        ("tcp://*:5555", Err(EndpointError::WildcardHost)),
        ("tcp://*:*", Err(EndpointError::WildcardHost)),
        ("tcp://host:*", Err(EndpointError::WildcardPort)),
        ("tcp://host:0", Err(EndpointError::WildcardPort)),
        ("ipc://*", Err(EndpointError::WildcardPath)),
        ("tcp://host:1", Ok(())),
        ("tcp://*:*;host:1", Ok(())),
        ("ipc://@a", Ok(())),
        ("inproc://*", Ok(())),
    ] {
        assert_eq!(parse(text).unwrap().check_connectable(), expected, "{text}");
    }
    assert_eq!(parse("tcp://*:*").unwrap().check_bindable(), Ok(()));
    assert_eq!(
        parse("tcp://*:*;host:1").unwrap().check_bindable(),
        Err(EndpointError::SourceAtBind)
    );
}

/// What `bind` and `connect` take: text or an endpoint.
#[test]
fn text_and_endpoints_convert() {
    fn accept<T>(endpoint: T) -> Result<Endpoint, EndpointError>
    where
        T: TryInto<Endpoint>,
        EndpointError: From<T::Error>,
    {
        Ok(endpoint.try_into()?)
    }
    let endpoint = parse("inproc://a").unwrap();
    assert_eq!(accept("inproc://a"), Ok(endpoint.clone()));
    let text = String::from("inproc://a");
    assert_eq!(accept(&text), Ok(endpoint.clone()));
    assert_eq!(accept(text), Ok(endpoint.clone()));
    assert_eq!(accept(&endpoint), Ok(endpoint.clone()));
    assert_eq!(accept(endpoint.clone()), Ok(endpoint));
    assert_eq!(accept("inproc://"), Err(EndpointError::MissingName));
}

#[test]
fn errors_name_the_remedy_in_one_line() {
    assert_eq!(
        parse("http://host").unwrap_err().to_string(),
        r#"unknown scheme "http"; known are tcp, ipc, inproc and memory, in lower case"#
    );
    assert_eq!(
        parse("tcp://host").unwrap_err().to_string(),
        r#""host" has no port; write host:port, or host:* to bind to a free port"#
    );
}

proptest! {
    #[test]
    fn no_text_panics_and_endpoints_round_trip(
        text in prop_oneof![
            any::<String>(),
            "(tcp|ipc|inproc|memory)://[\\[\\]:;*%@a-f0-9./]{0,30}",
            "tcp://(\\[[0-9a-f:.%]{2,12}\\]|[a-z0-9.*]{1,8}):[0-9*]{1,5}",
        ],
    ) {
        if let Ok(endpoint) = parse(&text) {
            prop_assert_eq!(parse(&endpoint.to_string()), Ok(endpoint));
        }
    }
}
