//! Reads and prints the parts of an endpoint.

#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::{EndpointError, Host, HostPort, IpcAddress, TcpAddress};

impl FromStr for TcpAddress {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let (source, target) = match text.split_once(';') {
            Some((source, target)) => (Some(source.parse()?), target),
            None => (None, text),
        };
        Ok(Self {
            source,
            target: target.parse()?,
        })
    }
}

impl FromStr for HostPort {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let (host, port) = text
            .rsplit_once(':')
            // The last colon of `[::1]` is inside the brackets.
            .filter(|(_, port)| !port.contains(']'))
            .ok_or_else(|| EndpointError::MissingPort {
                address: text.into(),
            })?;
        let port = parse_port(port)?;
        if host.is_empty() {
            return Err(EndpointError::MissingHost { port });
        }
        Ok(Self {
            host: host.parse()?,
            port,
        })
    }
}

impl FromStr for Host {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text == "*" {
            return Ok(Self::Wildcard);
        }
        if let Some(bracketed) = text.strip_prefix('[') {
            let inner = bracketed.strip_suffix(']').unwrap_or_default();
            return parse_ipv6(inner).ok_or_else(|| EndpointError::InvalidIpv6 {
                address: text.into(),
            });
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(IpAddr::V4(ip)));
        }
        if text.contains(':') {
            return Err(EndpointError::UnbracketedIpv6 { host: text.into() });
        }
        if !is_name(text) {
            return Err(EndpointError::InvalidHost { host: text.into() });
        }
        Ok(Self::Name(text.into()))
    }
}

impl FromStr for IpcAddress {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        if text.len() > PATH_MAX {
            return Err(EndpointError::PathTooLong { len: text.len() });
        }
        if text.contains('\0') {
            return Err(EndpointError::PathWithZero);
        }
        match text.strip_prefix('@') {
            _ if text.is_empty() => Err(EndpointError::MissingPath),
            Some("") => Err(EndpointError::MissingPath),
            Some(name) => Ok(Self::Abstract(name.into())),
            None if text == "*" => Ok(Self::Wildcard),
            None => Ok(Self::Path(text.into())),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            0 => write!(f, "{}:*", self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wildcard => f.write_str("*"),
            Self::Ip(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Scoped { ip, scope } => write!(f, "[{ip}%{scope}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Checks the name of an inproc or memory endpoint.
pub(super) fn name(name: &str) -> Result<Box<str>, EndpointError> {
    match name.len() {
        0 => Err(EndpointError::MissingName),
        1..=INPROC_MAX => Ok(name.into()),
        len => Err(EndpointError::NameTooLong { len }),
    }
}

fn parse_port(text: &str) -> Result<u16, EndpointError> {
    if text == "*" {
        return Ok(0);
    }
    // Digits alone: the standard parser takes a sign too.
    text.parse()
        .ok()
        .filter(|_| text.bytes().all(|octet| octet.is_ascii_digit()))
        .ok_or_else(|| EndpointError::InvalidPort { port: text.into() })
}

fn parse_ipv6(text: &str) -> Option<Host> {
    match text.split_once('%') {
        None => Some(Host::Ip(IpAddr::V6(text.parse().ok()?))),
        Some((ip, scope)) => Some(Host::Scoped {
            ip: ip.parse::<Ipv6Addr>().ok()?,
            scope: Some(scope).filter(|scope| is_name(scope))?.into(),
        }),
    }
}

/// Whether the text may be the name of a host or an interface.
///
/// Resolving tells more, later; this catches what is meant for another part of the endpoint, or for nothing.
fn is_name(text: &str) -> bool {
    let stray = |c: char| c.is_whitespace() || c.is_control() || "*/\\[]:;@#?%\"".contains(c);
    !text.is_empty() && !text.contains(stray)
}

/// What fits into `sun_path` of a Unix socket beside the zero at its end. With `@` it counts too, as with libzmq.
const PATH_MAX: usize = 107;

/// Longer names are surely a mistake; libzmq's manual sets a limit near it.
const INPROC_MAX: usize = 255;
