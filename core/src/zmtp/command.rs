//! Commands: frames that the peers' libraries say to each other (RFC 37, Framing), and metadata properties.
//!
//! ```text
//!   frame      04 length(1) body        06 length(8) body
//!   body       length(1) name data
//!   property   length(1) name length(4) value
//! ```

#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use crate::{RoutingId, SocketType};

/// The body of a command that was received; data is a slice of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command<'a> {
    /// The end of the handshake, with the peer's metadata.
    Ready(Properties<'a>),
    /// The peer gives up the handshake.
    Error { reason: &'a [u8] },
    /// The peer wants messages that begin with this topic.
    Subscribe(&'a [u8]),
    /// The peer takes one such wish back.
    Cancel(&'a [u8]),
    /// The peer asks for a PONG; after `ttl` without a sign of life it may be given up. Zero says nothing.
    Ping { ttl: Duration, context: &'a [u8] },
    /// The reply to a PING, with its context.
    Pong { context: &'a [u8] },
    /// The peer, a DISH, joins a group.
    Join(&'a [u8]),
    /// The peer, a DISH, leaves a group.
    Leave(&'a [u8]),
    /// Any other; in traffic it is ignored.
    Unknown { name: &'a [u8] },
}

/// A command that does not follow the grammar.
///
/// In traffic only [`ShortPing`](Self::ShortPing) closes the connection; the others are counted and ignored, as libzmq
/// ignores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MalformedCommand {
    /// The body is empty, or its name is.
    #[error("expected a command's name, came none")]
    NoName,
    /// The name would be longer than the body.
    #[error("the command's name is longer than its body")]
    NameOverrun,
    /// The reason of an ERROR is missing, or would be longer than the body.
    #[error("the reason of the ERROR command is longer than its body")]
    ReasonOverrun,
    /// A PING without TTL: its sender does not know the protocol, and other peers answer it with stray memory.
    #[error("the PING command has no TTL")]
    ShortPing,
}

/// The properties of a READY that are not read yet: name and value in turn.
///
/// Nothing follows an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Properties<'a> {
    unread: &'a [u8],
}

/// Metadata that does not follow the grammar (RFC 37, The NULL Security Mechanism).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MalformedProperty {
    /// The name is empty.
    #[error("expected a property's name, came none")]
    NoName,
    /// The name is not text.
    #[error("the name of a property is not text")]
    NotText,
    /// Name or value would be longer than what is left; one octet too many at the end looks the same.
    #[error("a property is longer than what is left of the metadata")]
    Overrun,
}

impl<'a> Command<'a> {
    /// Reads the body of a command frame.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, MalformedCommand> {
        let (name, data) = split_counted(body).ok_or(if body.is_empty() {
            MalformedCommand::NoName
        } else {
            MalformedCommand::NameOverrun
        })?;
        Ok(match name {
            b"" => return Err(MalformedCommand::NoName),
            READY => Self::Ready(Properties { unread: data }),
            // libzmq lets octets follow the reason; so do we.
            ERROR => match split_counted(data) {
                Some((reason, _)) => Self::Error { reason },
                None => return Err(MalformedCommand::ReasonOverrun),
            },
            SUBSCRIBE => Self::Subscribe(data),
            CANCEL => Self::Cancel(data),
            PING => match data.split_first_chunk() {
                Some((ttl, context)) => Self::Ping {
                    ttl: TENTH * u32::from(u16::from_be_bytes(*ttl)),
                    context,
                },
                None => return Err(MalformedCommand::ShortPing),
            },
            PONG => Self::Pong { context: data },
            JOIN => Self::Join(data),
            LEAVE => Self::Leave(data),
            name => Self::Unknown { name },
        })
    }
}

impl MalformedCommand {
    /// Whether the connection has to be closed for it, also in traffic.
    pub(crate) const fn is_fatal(self) -> bool {
        matches!(self, Self::ShortPing)
    }
}

impl<'a> Properties<'a> {
    /// Takes the next property off; there is at least one octet left.
    fn split_first(&mut self) -> Result<(&'a str, &'a [u8]), MalformedProperty> {
        let (name, rest) = split_counted(self.unread).ok_or(MalformedProperty::Overrun)?;
        if name.is_empty() {
            return Err(MalformedProperty::NoName);
        }
        // RFC 37 allows letters, digits and `-_.+`. Other text passes, as with libzmq, which looks at no character.
        let name = str::from_utf8(name).map_err(|_| MalformedProperty::NotText)?;
        let (len, rest) = rest.split_first_chunk().ok_or(MalformedProperty::Overrun)?;
        let len = u32::from_be_bytes(*len);
        let (value, rest) = usize::try_from(len)
            .ok()
            .filter(|_| len <= VALUE_MAX)
            .and_then(|len| rest.split_at_checked(len))
            .ok_or(MalformedProperty::Overrun)?;
        self.unread = rest;
        Ok((name, value))
    }
}

impl<'a> Iterator for Properties<'a> {
    type Item = Result<(&'a str, &'a [u8]), MalformedProperty>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.unread.is_empty() {
            return None;
        }
        let property = self.split_first();
        if property.is_err() {
            self.unread = &[];
        }
        Some(property)
    }
}

/// A READY frame: Socket-Type first, then Identity where the type has it, then the others, as libzmq writes it.
///
/// A property whose name is empty or longer than 255 octets cannot be written and is left out; the options refuse it
/// before.
pub(crate) fn ready(
    socket_type: SocketType,
    routing_id: Option<&RoutingId>,
    properties: &[(String, Bytes)],
) -> Bytes {
    let mut data = BytesMut::new();
    put_property(&mut data, SOCKET_TYPE, socket_type.as_str().as_bytes());
    if socket_type.sends_routing_id() {
        let routing_id = routing_id.map_or(&[][..], RoutingId::as_bytes);
        put_property(&mut data, IDENTITY, routing_id);
    }
    for (name, value) in properties {
        put_property(&mut data, name, value);
    }
    frame(READY, &[&data])
}

/// An ERROR frame; what is over 255 octets of the reason is left out.
pub(crate) fn error(reason: &str) -> Bytes {
    let mut data = BytesMut::new();
    put_counted(&mut data, truncated(reason.as_bytes(), REASON_MAX));
    frame(ERROR, &[&data])
}

/// A PING frame, with a TTL of whole tenths of a second, at most [`TTL_MAX`], and a context of at most 16 octets.
pub(crate) fn ping(ttl: Duration, context: &[u8]) -> Bytes {
    let tenths = ttl.min(TTL_MAX).as_millis() / TENTH.as_millis();
    let tenths = u16::try_from(tenths).unwrap_or_default().to_be_bytes();
    frame(PING, &[&tenths, truncated(context, CONTEXT_MAX)])
}

/// A PONG frame, with at most 16 octets of the PING's context (RFC 37, Connection Heartbeating).
pub(crate) fn pong(context: &[u8]) -> Bytes {
    frame(PONG, &[truncated(context, CONTEXT_MAX)])
}

/// A SUBSCRIBE frame: messages that begin with `topic` are wanted.
pub(crate) fn subscribe(topic: &[u8]) -> Bytes {
    frame(SUBSCRIBE, &[topic])
}

/// A CANCEL frame: one SUBSCRIBE with `topic` is taken back.
pub(crate) fn cancel(topic: &[u8]) -> Bytes {
    frame(CANCEL, &[topic])
}

/// A command frame: header, name, data.
fn frame(name: &[u8], data: &[&[u8]]) -> Bytes {
    let body_len = 1 + name.len() + data.iter().map(|part| part.len()).sum::<usize>();
    let mut out = BytesMut::with_capacity(9 + body_len);
    if let Ok(len) = u8::try_from(body_len) {
        out.put_u8(COMMAND);
        out.put_u8(len);
    } else {
        out.put_u8(COMMAND | LONG);
        out.put_u64(u64::try_from(body_len).unwrap_or(u64::MAX));
    }
    put_counted(&mut out, name);
    for part in data {
        out.put_slice(part);
    }
    out.freeze()
}

fn put_property(out: &mut BytesMut, name: &str, value: &[u8]) {
    let Some(len) = u32::try_from(value.len())
        .ok()
        .filter(|len| *len <= VALUE_MAX)
    else {
        return;
    };
    if (1..=NAME_MAX).contains(&name.len()) {
        put_counted(out, name.as_bytes());
        out.put_u32(len);
        out.put_slice(value);
    }
}

/// Appends at most 255 octets and, before them, their number.
fn put_counted(out: &mut BytesMut, octets: &[u8]) {
    let octets = truncated(octets, NAME_MAX);
    out.put_u8(u8::try_from(octets.len()).unwrap_or(u8::MAX));
    out.put_slice(octets);
}

/// Splits off the octets that the first octet counts.
fn split_counted(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = input.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

fn truncated(octets: &[u8], max: usize) -> &[u8] {
    octets.get(..max).unwrap_or(octets)
}

/// The longest TTL that is sent.
///
/// libzmq 4.3.5 computes the milliseconds in 16 bits: a TTL of 656 makes it close after 64 ms (libzmq #4226).
pub(crate) const TTL_MAX: Duration = Duration::from_millis(65_500);

/// The unit of a TTL.
const TENTH: Duration = Duration::from_millis(100);

/// The name of the property with the socket type.
pub(crate) const SOCKET_TYPE: &str = "Socket-Type";

/// The name of the property with the routing id.
pub(crate) const IDENTITY: &str = "Identity";

/// The flag of a frame with a length of eight octets (RFC 37, Framing).
pub(crate) const LONG: u8 = 0x02;

/// The flag of a frame that is a command (RFC 37, Framing).
pub(crate) const COMMAND: u8 = 0x04;

const NAME_MAX: usize = 255;
const REASON_MAX: usize = 255;
const CONTEXT_MAX: usize = 16;
/// 2^31 - 1 (RFC 37, The NULL Security Mechanism).
const VALUE_MAX: u32 = 0x7FFF_FFFF;

const READY: &[u8] = b"READY";
const ERROR: &[u8] = b"ERROR";
const SUBSCRIBE: &[u8] = b"SUBSCRIBE";
const CANCEL: &[u8] = b"CANCEL";
const PING: &[u8] = b"PING";
const PONG: &[u8] = b"PONG";
const JOIN: &[u8] = b"JOIN";
const LEAVE: &[u8] = b"LEAVE";

#[cfg(test)]
mod tests;
