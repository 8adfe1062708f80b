//! [`Endpoint`]: where a socket binds or connects to, read from text and printed as text.

#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use parse::name;

mod parse;

/// Where a socket binds or connects to: a transport and an address of its kind.
///
/// | text | meaning |
/// |---|---|
/// | `tcp://host:5555` | a name, or an IPv4 address; for bind also the name of a network interface |
/// | `tcp://[::1]:5555`, `tcp://[fe80::1%eth0]:5555` | an IPv6 address |
/// | `tcp://*:5555` | bind only: all interfaces |
/// | `tcp://host:*` or `tcp://host:0` | bind only: a free port |
/// | `tcp://source:port;host:5555` | connect only: from this address or interface; its port may be `*` |
/// | `ipc:///run/service.sock` | a Unix socket: a path, absolute or relative |
/// | `ipc://@name` | a Unix socket in Linux's abstract name space |
/// | `ipc://*` | bind only: a Unix socket of a temporary name |
/// | `inproc://name` | within this process |
/// | `memory://name` | within this process, as octets on a simulated [network](crate::Network) |
///
/// Beside the path of an ipc endpoint that is being bound stands, for that moment, a file of its name and `.privateer-lock`:
/// of several who find the socket of a dead process there, one takes its place.
///
/// # Example
/// ```
/// use privateer_core::Endpoint;
///
/// let endpoint: Endpoint = "tcp://[0::1]:5555".parse()?;
/// assert_eq!(endpoint.to_string(), "tcp://[::1]:5555");
/// assert!("tcp://localhost".parse::<Endpoint>().is_err());
/// # Ok::<(), privateer_core::EndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint(Address);

/// The parts of an endpoint, by transport.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Address {
    Tcp(TcpAddress),
    Ipc(IpcAddress),
    /// The name: 1 to 255 bytes.
    Inproc(Box<str>),
    /// As for inproc.
    Memory(Box<str>),
}

/// `tcp://` and, before a semicolon, where to connect from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TcpAddress {
    pub(crate) source: Option<HostPort>,
    pub(crate) target: HostPort,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct HostPort {
    pub(crate) host: Host,
    /// 0 stands for any free port, which is printed as `*`.
    pub(crate) port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// `*`: all interfaces.
    Wildcard,
    Ip(IpAddr),
    /// An IPv6 address with the interface it is valid on: a name or an index.
    Scoped {
        ip: Ipv6Addr,
        scope: Box<str>,
    },
    /// To be resolved: a host's name or an interface's.
    Name(Box<str>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum IpcAddress {
    /// `*`: a temporary path.
    Wildcard,
    /// In the file system; 1 to 107 bytes.
    Path(Box<str>),
    /// In the abstract name space of Linux; 1 to 106 bytes, without the `@`.
    Abstract(Box<str>),
}

/// Why text is no endpoint, or an endpoint is not one to connect or bind to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// There is no `://`.
    #[error("{endpoint:?} has no scheme; begin it with tcp://, ipc:// or inproc://")]
    MissingScheme {
        /// The whole text.
        endpoint: Box<str>,
    },
    /// The text before `://` is none of the known schemes.
    #[error("unknown scheme {scheme:?}; known are tcp, ipc, inproc and memory, in lower case")]
    UnknownScheme {
        /// The text before `://`.
        scheme: Box<str>,
    },
    /// A tcp address has no port.
    #[error("{address:?} has no port; write host:port, or host:* to bind to a free port")]
    MissingPort {
        /// The text that should have one.
        address: Box<str>,
    },
    /// A tcp address has a port that is none.
    #[error("{port:?} is no port; write a number from 1 to 65535, or * to bind to a free port")]
    InvalidPort {
        /// The text after the last colon.
        port: Box<str>,
    },
    /// A tcp address has no host.
    #[error(
        "there is no host before the port {port}; write a name, an address, or * to bind to all interfaces"
    )]
    MissingHost {
        /// The port that was given.
        port: u16,
    },
    /// A tcp address has a host that is neither a name nor an address.
    #[error("{host:?} is no host; write a name or an address, without spaces and slashes")]
    InvalidHost {
        /// The text before the port.
        host: Box<str>,
    },
    /// A tcp address has more than one colon, and no brackets.
    #[error("{host:?} has a colon; write an IPv6 address in brackets, as in tcp://[::1]:5555")]
    UnbracketedIpv6 {
        /// The text before the port.
        host: Box<str>,
    },
    /// What is in brackets is no IPv6 address.
    #[error("{address:?} is no IPv6 address; brackets are for those alone, as in tcp://[::1]:5555")]
    InvalidIpv6 {
        /// The text in brackets, or from the first bracket on if they do not match.
        address: Box<str>,
    },
    /// Raw octets need a connection of the operating system.
    #[error("a STREAM socket speaks with the world outside: write tcp:// or ipc://")]
    NotForStream,
    /// An ipc address has no path, or no name after `@`.
    #[error(
        "ipc:// needs a path, as in ipc:///tmp/service.sock, or @ and a name, or * to bind to a temporary path"
    )]
    MissingPath,
    /// An ipc path is longer than the operating system allows.
    #[error("an ipc path has at most 107 bytes, this one has {len}; choose a shorter directory")]
    PathTooLong {
        /// How many bytes it has.
        len: usize,
    },
    /// An ipc path contains a zero byte.
    #[error(
        "an ipc path cannot contain a zero byte; write @ and a name for the abstract name space"
    )]
    PathWithZero,
    /// An inproc or memory address has no name.
    #[error("inproc:// and memory:// need a name, as in inproc://workers")]
    MissingName,
    /// An inproc or memory name is too long.
    #[error(
        "the name of an endpoint has at most 255 bytes, this one has {len}; choose a shorter one"
    )]
    NameTooLong {
        /// How many bytes it has.
        len: usize,
    },
    /// Connecting needs a host, and `*` stands for all.
    #[error("cannot connect to the host *; name one, as in tcp://localhost:5555")]
    WildcardHost,
    /// Connecting needs a port, and `*` or 0 stands for any.
    #[error("cannot connect to port * or 0; write the port that the peer is bound to")]
    WildcardPort,
    /// Connecting needs a path, and `*` stands for one that is not there yet.
    #[error("cannot connect to ipc://*; write the path that the peer is bound to")]
    WildcardPath,
    /// Binding has no source address.
    #[error(
        "cannot bind to an endpoint with a source address; leave out the part before the semicolon"
    )]
    SourceAtBind,
}

impl Endpoint {
    /// The parts, for the transport.
    pub(crate) const fn address(&self) -> &Address {
        &self.0
    }

    /// The tcp endpoint of a bound listener or of a peer.
    pub(crate) fn tcp(address: SocketAddr) -> Self {
        let host = match address {
            SocketAddr::V6(v6) if v6.scope_id() != 0 => Host::Scoped {
                ip: *v6.ip(),
                scope: v6.scope_id().to_string().into(),
            },
            other => Host::Ip(other.ip()),
        };
        Self(Address::Tcp(TcpAddress {
            source: None,
            target: HostPort {
                host,
                port: address.port(),
            },
        }))
    }

    /// The ipc endpoint of a bound listener.
    pub(crate) const fn ipc(address: IpcAddress) -> Self {
        Self(Address::Ipc(address))
    }

    /// Whether a socket can connect to it: it has no wildcard but in its source.
    ///
    /// # Errors
    /// [`WildcardHost`](EndpointError::WildcardHost), [`WildcardPort`](EndpointError::WildcardPort) and
    /// [`WildcardPath`](EndpointError::WildcardPath); there is no other.
    pub fn check_connectable(&self) -> Result<(), EndpointError> {
        match &self.0 {
            Address::Tcp(tcp) if tcp.target.host == Host::Wildcard => {
                Err(EndpointError::WildcardHost)
            }
            Address::Tcp(tcp) if tcp.target.port == 0 => Err(EndpointError::WildcardPort),
            Address::Ipc(IpcAddress::Wildcard) => Err(EndpointError::WildcardPath),
            Address::Tcp(_) | Address::Ipc(_) | Address::Inproc(_) | Address::Memory(_) => Ok(()),
        }
    }

    /// Whether a socket can bind to it: it has no source address.
    ///
    /// # Errors
    /// [`SourceAtBind`](EndpointError::SourceAtBind); there is no other.
    pub const fn check_bindable(&self) -> Result<(), EndpointError> {
        match &self.0 {
            Address::Tcp(TcpAddress {
                source: Some(_), ..
            }) => Err(EndpointError::SourceAtBind),
            Address::Tcp(_) | Address::Ipc(_) | Address::Inproc(_) | Address::Memory(_) => Ok(()),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    /// # Errors
    /// An [`EndpointError`] that tells what to write instead; all but those of
    /// [`check_connectable`](Self::check_connectable) and [`check_bindable`](Self::check_bindable).
    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let (scheme, rest) =
            text.split_once("://")
                .ok_or_else(|| EndpointError::MissingScheme {
                    endpoint: text.into(),
                })?;
        match scheme {
            "tcp" => rest.parse().map(Address::Tcp),
            "ipc" => rest.parse().map(Address::Ipc),
            "inproc" => name(rest).map(Address::Inproc),
            "memory" => name(rest).map(Address::Memory),
            _ => Err(EndpointError::UnknownScheme {
                scheme: scheme.into(),
            }),
        }
        .map(Self)
    }
}

/// As it would be written; `*` for the port 0.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Tcp(TcpAddress { source, target }) => {
                f.write_str("tcp://")?;
                if let Some(source) = source {
                    write!(f, "{source};")?;
                }
                write!(f, "{target}")
            }
            Address::Ipc(IpcAddress::Wildcard) => f.write_str("ipc://*"),
            Address::Ipc(IpcAddress::Path(path)) => write!(f, "ipc://{path}"),
            Address::Ipc(IpcAddress::Abstract(name)) => write!(f, "ipc://@{name}"),
            Address::Inproc(name) => write!(f, "inproc://{name}"),
            Address::Memory(name) => write!(f, "memory://{name}"),
        }
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &str) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = EndpointError;

    fn try_from(text: &String) -> Result<Self, EndpointError> {
        text.parse()
    }
}

impl From<&Self> for Endpoint {
    fn from(endpoint: &Self) -> Self {
        endpoint.clone()
    }
}

/// What takes `impl TryInto<Endpoint>` takes an [`Endpoint`] too, which cannot fail.
impl From<Infallible> for EndpointError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests;
