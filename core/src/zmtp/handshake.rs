//! The handshake of a connection: greeting, then READY both ways with the NULL mechanism (RFC 37).

#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use bytes::{Buf, Bytes, BytesMut};

use super::command::{self, Command, MalformedProperty, Properties};
use super::greeting;
use crate::{Frame, InvalidRoutingId, RoutingId, SocketType};

/// What we tell the peer.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) socket_type: SocketType,
    /// READY carries it for REQ, DEALER and ROUTER only.
    pub(crate) routing_id: Option<RoutingId>,
    /// Beside Socket-Type and Identity; names of 1 to 255 octets.
    pub(crate) properties: Vec<(String, Bytes)>,
}

/// What the peer told us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    /// The minor version to speak: 0 (subscriptions are messages, no PING) or 1.
    pub(crate) minor: u8,
    pub(crate) socket_type: SocketType,
    /// None if the peer sent none, or an empty one.
    pub(crate) routing_id: Option<RoutingId>,
    /// All but Socket-Type and Identity, in the peer's order and letter case.
    pub(crate) properties: Vec<(String, Bytes)>,
}

/// The machine that takes a connection from its first octet to its traffic.
///
/// After [`new`](Self::new) and after each [`handle_input`](Self::handle_input), also one that failed, write what
/// [`take_output`](Self::take_output) gives.
#[derive(Debug)]
pub(crate) struct Handshake {
    local: Local,
    state: State,
    output: BytesMut,
    /// Our READY waits for [`put_ready`](Self::put_ready).
    withheld: bool,
    /// The type of the peer's socket, once it is known and fits.
    peer: Option<SocketType>,
}

#[derive(Debug)]
enum State {
    /// Waiting for the signature and the major version.
    First,
    /// Waiting for the rest of the greeting.
    Rest {
        major: u8,
    },
    /// Waiting for READY.
    Ready {
        minor: u8,
    },
    Done,
    Failed(HandshakeError),
}

/// Why a handshake failed.
///
/// The peer either cannot talk to this socket (everything up to
/// [`MissingSocketType`](HandshakeError::MissingSocketType)), or broke the rules
/// ([`Malformed`](HandshakeError::Malformed)), or did not want to ([`Refused`](HandshakeError::Refused)).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// What the peer sent first is no signature of ZMTP 2.0 or later: another protocol, or ZMTP 1.0.
    #[error("the peer does not speak ZMTP 2.0 or later")]
    NotZmtp,
    /// The peer speaks ZMTP, but a version before 3.0.
    #[error("the peer speaks a version older than ZMTP 3.0 (revision {revision})")]
    TooOld {
        /// The revision in its greeting: 0 for ZMTP 1.0, 1 for ZMTP 2.0.
        revision: u8,
    },
    /// The peer's security mechanism is not ours.
    #[error("expected the mechanism NULL, the peer has {found:?}")]
    Mechanism {
        /// The name in its greeting.
        found: Frame,
    },
    /// Sockets of these two types do not talk to each other.
    #[error("a socket of type {local} cannot talk to one of type {peer}")]
    SocketType {
        /// The type of this socket.
        local: SocketType,
        /// The type of the peer's socket.
        peer: SocketType,
    },
    /// The peer's socket type has a name that we do not know.
    #[error("the peer's socket type is unknown: {found:?}")]
    UnknownSocketType {
        /// The name in its metadata.
        found: Frame,
    },
    /// The peer does not say what type its socket has.
    #[error("the peer does not tell its socket type")]
    MissingSocketType,
    /// The peer broke the rules of the protocol.
    #[error(transparent)]
    Malformed(#[from] MalformedHandshake),
    /// The peer sent ERROR: it refuses the connection.
    #[error("the peer refuses the connection: {reason:?}")]
    Refused {
        /// The reason that it gives; at most 255 bytes.
        reason: Frame,
    },
}

/// How a peer broke the rules of the protocol during the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MalformedHandshake {
    /// A frame has flags that are reserved.
    #[error("the peer set reserved bits in the flags of a frame: {flags:#04x}")]
    ReservedFlags {
        /// The octet with the flags.
        flags: u8,
    },
    /// A message came before the handshake was complete.
    #[error("expected a READY command, the peer sent a message")]
    Message,
    /// A command is longer than the limit of 64 KiB.
    #[error("the peer's command has {len} bytes, the limit is 65536")]
    TooLong {
        /// How many bytes the frame claims to have.
        len: u64,
    },
    /// A command is neither READY nor ERROR.
    #[error("expected a READY command, the peer sent another one")]
    UnexpectedCommand,
    /// A command has no name, or one that is longer than the command, or otherwise breaks the grammar.
    #[error("the peer's command does not follow the grammar")]
    Command,
    /// A property in READY is cut off, has no name, or has a name that is not text.
    #[error("the peer's metadata does not follow the grammar")]
    Metadata,
    /// The routing id is too long, or begins with a zero byte.
    #[error("the peer's routing id is not allowed")]
    RoutingId(#[source] InvalidRoutingId),
}

impl Handshake {
    /// A handshake with the first piece of our greeting as output.
    pub(crate) fn new(local: Local) -> Self {
        let mut output = BytesMut::new();
        let routing_id_len = local
            .routing_id
            .as_ref()
            .map_or(0, |id| id.as_bytes().len());
        greeting::put_first(&mut output, routing_id_len);
        Self {
            local,
            state: State::First,
            output,
            withheld: false,
            peer: None,
        }
    }

    /// As [`new`](Self::new), but our READY goes out only when [`put_ready`](Self::put_ready) says so.
    pub(crate) fn withholding(local: Local) -> Self {
        Self {
            withheld: true,
            ..Self::new(local)
        }
    }

    /// Whether the peer's greeting is here, so that READY may go out.
    pub(crate) const fn is_greeted(&self) -> bool {
        matches!(self.state, State::Ready { .. } | State::Done)
    }

    /// Takes what belongs to the handshake off `input`, and gives the peer once it is complete.
    ///
    /// An incomplete piece stays in `input`; append to it and call again. What is left beside the peer is traffic.
    /// After an error every call gives that error again.
    pub(crate) fn handle_input(
        &mut self,
        input: &mut BytesMut,
    ) -> Result<Option<Remote>, HandshakeError> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        self.advance(input).inspect_err(|error| {
            if let Some(reason) = error.told_to_peer() {
                if self.withheld {
                    // The peer is to know what it met.
                    self.put_ready();
                }
                self.output.extend_from_slice(&command::error(reason));
            }
            self.state = State::Failed(error.clone());
        })
    }

    /// What to write now, if anything.
    pub(crate) fn take_output(&mut self) -> Option<Bytes> {
        (!self.output.is_empty()).then(|| self.output.split().freeze())
    }

    /// Goes from state to state, as far as `input` reaches.
    fn advance(&mut self, input: &mut BytesMut) -> Result<Option<Remote>, HandshakeError> {
        if let State::First = self.state
            && let Some(major) = greeting::parse_first(input)?
        {
            input.advance(greeting::FIRST_LEN);
            greeting::put_rest(&mut self.output);
            self.state = State::Rest { major };
        }
        if let State::Rest { major } = self.state
            && let Some(minor) = greeting::parse_rest(input, major)?
        {
            input.advance(greeting::REST_LEN);
            if !self.withheld {
                self.put_ready();
            }
            self.state = State::Ready { minor };
        }
        if let State::Ready { minor } = self.state
            && let Some((body, frame_len)) = split_command(input)?
        {
            let remote = Remote::parse(body, minor, self.local.socket_type)?;
            input.advance(frame_len);
            self.state = State::Done;
            self.peer = Some(remote.socket_type);
            return Ok(Some(remote));
        }
        Ok(None)
    }

    /// Says READY. Both sides do at once, as with libzmq, unless it is withheld: then one waits as the server of RFC 37
    /// would.
    pub(crate) fn put_ready(&mut self) {
        self.withheld = false;
        let ready = command::ready(
            self.local.socket_type.presented_to(self.peer),
            self.local.routing_id.as_ref(),
            &self.local.properties,
        );
        self.output.extend_from_slice(&ready);
    }
}

impl Remote {
    /// The peer of this READY body, if `local` may talk to it.
    fn parse(body: &[u8], minor: u8, local: SocketType) -> Result<Self, HandshakeError> {
        let metadata = match Command::parse(body) {
            Ok(Command::Ready(metadata)) => metadata,
            Ok(Command::Error { reason }) => {
                let reason = Frame::copy_from_slice(reason);
                return Err(HandshakeError::Refused { reason });
            }
            Ok(_) => return Err(MalformedHandshake::UnexpectedCommand.into()),
            Err(_) => return Err(MalformedHandshake::Command.into()),
        };
        let metadata = Metadata::read(metadata).map_err(|_| MalformedHandshake::Metadata)?;
        let socket_type = checked_type(metadata.socket_type, local)?;
        // Of other types the property is ignored (RFC 37, The Identity Property).
        let routing_id = metadata
            .routing_id
            .filter(|_| socket_type.sends_routing_id());
        let routing_id = checked_routing_id(routing_id)?;
        Ok(Self {
            minor,
            socket_type,
            routing_id,
            properties: metadata.others,
        })
    }
}

impl HandshakeError {
    /// The reason in the ERROR that the peer gets, if it gets one.
    ///
    /// RFC 37 (The Socket-Type Property) asks for ERROR where the socket types do not fit. A peer that broke the rules
    /// gets none, since an ERROR keeps it from reconnecting (RFC 37, Error Handling).
    const fn told_to_peer(&self) -> Option<&'static str> {
        match self {
            Self::SocketType { .. } | Self::UnknownSocketType { .. } | Self::MissingSocketType => {
                Some("Invalid socket type")
            }
            Self::NotZmtp
            | Self::TooOld { .. }
            | Self::Mechanism { .. }
            | Self::Malformed(_)
            | Self::Refused { .. } => None,
        }
    }
}

/// The body of the command frame that `input` begins with, and the length of the whole frame, once it is complete.
///
/// All that a header can do wrong is told before the body is waited for.
fn split_command(input: &[u8]) -> Result<Option<(&[u8], usize)>, MalformedHandshake> {
    let Some((&flags, rest)) = input.split_first() else {
        return Ok(None);
    };
    if flags & RESERVED != 0 {
        return Err(MalformedHandshake::ReservedFlags { flags });
    }
    // MORE on a command is ignored, as by libzmq.
    if flags & command::COMMAND == 0 {
        return Err(MalformedHandshake::Message);
    }
    let (len, rest) = if flags & command::LONG == 0 {
        let Some((len, rest)) = rest.split_first() else {
            return Ok(None);
        };
        (u64::from(*len), rest)
    } else {
        let Some((len, rest)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        (u64::from_be_bytes(*len), rest)
    };
    let body_len = usize::try_from(len)
        .ok()
        .filter(|len| *len <= COMMAND_MAX)
        .ok_or(MalformedHandshake::TooLong { len })?;
    let header_len = input.len() - rest.len();
    Ok(rest
        .get(..body_len)
        .map(|body| (body, header_len + body_len)))
}

/// The properties of a READY, before their values are judged.
#[derive(Default)]
struct Metadata<'a> {
    socket_type: Option<&'a [u8]>,
    routing_id: Option<&'a [u8]>,
    others: Vec<(String, Bytes)>,
}

impl<'a> Metadata<'a> {
    /// Reads them all. If Socket-Type or Identity comes twice, the first one counts.
    fn read(properties: Properties<'a>) -> Result<Self, MalformedProperty> {
        let mut metadata = Self::default();
        for property in properties {
            let (name, value) = property?;
            if name.eq_ignore_ascii_case(command::SOCKET_TYPE) {
                metadata.socket_type.get_or_insert(value);
            } else if name.eq_ignore_ascii_case(command::IDENTITY) {
                metadata.routing_id.get_or_insert(value);
            } else {
                // A copy, so that the connection does not keep the buffer that READY was read into.
                let value = Bytes::copy_from_slice(value);
                metadata.others.push((name.to_owned(), value));
            }
        }
        Ok(metadata)
    }
}

/// The peer's socket type, if `local` may talk to it (RFC 37, The Socket-Type Property).
fn checked_type(name: Option<&[u8]>, local: SocketType) -> Result<SocketType, HandshakeError> {
    let name = name.ok_or(HandshakeError::MissingSocketType)?;
    match SocketType::from_wire(name) {
        None => Err(HandshakeError::UnknownSocketType {
            found: Frame::copy_from_slice(name),
        }),
        Some(peer) if !local.compatible_with(peer) => {
            Err(HandshakeError::SocketType { local, peer })
        }
        Some(peer) => Ok(peer),
    }
}

/// The peer's routing id, if it chose one (RFC 37, The Identity Property).
fn checked_routing_id(id: Option<&[u8]>) -> Result<Option<RoutingId>, MalformedHandshake> {
    match id {
        None | Some([]) => Ok(None),
        Some(id) => RoutingId::new(id)
            .map(Some)
            .map_err(MalformedHandshake::RoutingId),
    }
}

/// The longest body of a command in the handshake, in octets: generous for metadata, and no attack.
const COMMAND_MAX: usize = 64 * 1024;

/// The flags that have to be zero (RFC 37, Framing).
const RESERVED: u8 = 0xF8;

#[cfg(test)]
mod tests;
