//! The messages of Majordomo, byte for byte (RFC 7, version 0.1). PURE.
//!
//! ```text
//! client  REQUEST     [envelope*] ∅ "MDPC01" service body+      REPLY looks the same
//! worker  READY       ∅ "MDPW01" 0x01 service
//!         REQUEST     ∅ "MDPW01" 0x02 address ∅ body+           broker to worker
//!         REPLY       ∅ "MDPW01" 0x03 address ∅ body+           worker to broker
//!         HEARTBEAT   ∅ "MDPW01" 0x04                           both ways
//!         DISCONNECT  ∅ "MDPW01" 0x05                           both ways
//! ```
//!
//! The routing id by which a ROUTER names a peer is no frame of these messages. Frames move in and out; no body is
//! copied. Whatever a peer sends is read into a value or into a [`Malformed`].
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use privateer_core::{Frame, Message};

/// The most frames that a message may have.
///
/// - Unit: frames, all counted    - Default: 1024    - Reason: what is read costs 40 bytes a frame, however empty
pub const MAX_FRAMES: usize = 1024;

/// The longest name of a service, in bytes; the shortest is one byte.
pub const MAX_SERVICE_NAME: usize = 255;

/// The most frames of an envelope: an empty frame must be among the first eight.
pub const MAX_ENVELOPE: usize = 7;

const CLIENT_HEADER: [u8; 6] = *b"MDPC01";
const WORKER_HEADER: [u8; 6] = *b"MDPW01";
const RESERVED_PREFIX: &[u8] = b"mmi.";

const READY: u8 = 0x01;
const REQUEST: u8 = 0x02;
const REPLY: u8 = 0x03;
const HEARTBEAT: u8 = 0x04;
const DISCONNECT: u8 = 0x05;

/// What a client sends (REQUEST) and what it gets (REPLY): in version 0.1 both look the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientMessage {
    /// The frames before the first empty one, as `ZMQ_REQ_CORRELATE` and our own clients send them; a reply returns
    /// them untouched.
    pub envelope: Option<Message>,
    /// The name of the service: 1 to 255 bytes.
    pub service: Frame,
    /// What the service is asked or what it answered. RFC 7 asks for at least one frame; only questions to the broker
    /// itself (RFC 8) may do without.
    pub body: Option<Message>,
}

/// What a worker sends to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerCommand {
    /// READY: the worker offers a service.
    Ready {
        /// The name of the service: 1 to 255 bytes.
        service: Frame,
    },
    /// REPLY: the answer to one REQUEST.
    Reply {
        /// The address frame of that REQUEST, untouched.
        address: Frame,
        /// The answer.
        body: Message,
    },
    /// HEARTBEAT: the worker lives.
    Heartbeat,
    /// DISCONNECT: the worker leaves.
    Disconnect,
}

/// What the broker sends to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerCommand {
    /// REQUEST: work to do.
    Request {
        /// What the REPLY must carry, opaque to the worker.
        address: Frame,
        /// What is asked.
        body: Message,
    },
    /// HEARTBEAT: the broker lives.
    Heartbeat,
    /// DISCONNECT: the worker is not known (any more) and has to connect anew.
    Disconnect,
}

/// What a broker receives, from either side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToBroker {
    /// A REQUEST of a client.
    Client(ClientMessage),
    /// A command of a worker.
    Worker(WorkerCommand),
}

/// Why a message is not one of version 0.1: always the peer's fault, never a reason to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// More frames than the limit.
    #[error("the message has more frames than the limit")]
    TooManyFrames,
    /// No empty frame among the first eight.
    #[error("there is no empty frame among the first eight")]
    NoDelimiter,
    /// Nothing follows the empty frame.
    #[error("no header follows the empty frame")]
    NoHeader,
    /// The header is of Majordomo, but of another version or of the other role.
    #[error("the header names another version of the protocol or another role")]
    OtherHeader,
    /// The header is not of Majordomo.
    #[error("the header is not of this protocol")]
    UnknownHeader,
    /// A worker's command begins with something else than an empty frame.
    #[error("a worker's command has an envelope")]
    WorkerEnvelope,
    /// No command follows the worker's header.
    #[error("no command follows the header")]
    NoCommand,
    /// The command is none that this side may receive.
    #[error("the command is unknown")]
    UnknownCommand,
    /// The name of the service is missing.
    #[error("the name of the service is missing")]
    NoService,
    /// The name of the service is empty or longer than 255 bytes.
    #[error("the name of the service is not of 1 to 255 bytes")]
    ServiceName,
    /// The address frame, or the empty frame after it, is missing.
    #[error("the address of a request or reply is missing")]
    NoAddress,
    /// There is no body.
    #[error("the body is missing")]
    NoBody,
}

impl Malformed {
    /// How many kinds there are.
    pub const KINDS: usize = Self::ALL.len();

    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::TooManyFrames,
        Self::NoDelimiter,
        Self::NoHeader,
        Self::OtherHeader,
        Self::UnknownHeader,
        Self::WorkerEnvelope,
        Self::NoCommand,
        Self::UnknownCommand,
        Self::NoService,
        Self::ServiceName,
        Self::NoAddress,
        Self::NoBody,
    ];
}

impl ToBroker {
    /// Reads what a broker received.
    ///
    /// # Errors
    /// [`Malformed`] if this is no REQUEST of a client and no command of a worker, or has more than `max_frames`
    /// frames; there is no other.
    pub fn read(message: Message, max_frames: usize) -> Result<Self, Malformed> {
        let (frames, delimiter) = delimited(message, max_frames)?;
        match header(&frames, delimiter)? {
            header if *header == CLIENT_HEADER => {
                ClientMessage::from_delimited(frames, delimiter).map(Self::Client)
            }
            header if *header == WORKER_HEADER => {
                WorkerCommand::from_delimited(frames, delimiter).map(Self::Worker)
            }
            header => Err(strange(header)),
        }
    }
}

impl ClientMessage {
    /// Reads what a client received.
    ///
    /// # Errors
    /// [`Malformed`] if this is no REPLY to a client or has more than `max_frames` frames; there is no other.
    pub fn read(message: Message, max_frames: usize) -> Result<Self, Malformed> {
        let (frames, delimiter) = delimited(message, max_frames)?;
        let header = header(&frames, delimiter)?;
        if *header != CLIENT_HEADER {
            return Err(strange(header));
        }
        Self::from_delimited(frames, delimiter)
    }

    fn from_delimited(mut frames: Vec<Frame>, delimiter: usize) -> Result<Self, Malformed> {
        let service = service_name(&mut frames, delimiter + 2)?;
        let envelope = frames.get_mut(..delimiter).and_then(take_all);
        frames.drain(..delimiter + 3);
        Ok(Self {
            envelope,
            service,
            body: Message::from_frames(frames),
        })
    }

    /// The message as it is sent.
    #[must_use]
    pub fn into_message(self) -> Message {
        let head = [Frame::empty(), Frame::from(CLIENT_HEADER), self.service];
        let message = match self.body {
            Some(body) => prepend(head, body),
            None => head.into(),
        };
        match self.envelope {
            None => message,
            Some(envelope) => prepend(envelope.into_frames(), message),
        }
    }
}

impl WorkerCommand {
    fn from_delimited(mut frames: Vec<Frame>, delimiter: usize) -> Result<Self, Malformed> {
        match command(&frames, delimiter)? {
            READY => Ok(Self::Ready {
                service: service_name(&mut frames, 3)?,
            }),
            REPLY => addressed(frames).map(|(address, body)| Self::Reply { address, body }),
            HEARTBEAT => Ok(Self::Heartbeat),
            DISCONNECT => Ok(Self::Disconnect),
            _ => Err(Malformed::UnknownCommand),
        }
    }

    /// The message as it is sent.
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self::Ready { service } => {
                let [delimiter, header, command] = head(READY);
                [delimiter, header, command, service].into()
            }
            Self::Reply { address, body } => send_addressed(REPLY, address, body),
            Self::Heartbeat => head(HEARTBEAT).into(),
            Self::Disconnect => head(DISCONNECT).into(),
        }
    }
}

impl BrokerCommand {
    /// Reads what a worker received.
    ///
    /// # Errors
    /// [`Malformed`] if this is no command of a broker or has more than `max_frames` frames; there is no other.
    pub fn read(message: Message, max_frames: usize) -> Result<Self, Malformed> {
        let (frames, delimiter) = delimited(message, max_frames)?;
        let header = header(&frames, delimiter)?;
        if *header != WORKER_HEADER {
            return Err(strange(header));
        }
        match command(&frames, delimiter)? {
            REQUEST => addressed(frames).map(|(address, body)| Self::Request { address, body }),
            HEARTBEAT => Ok(Self::Heartbeat),
            DISCONNECT => Ok(Self::Disconnect),
            _ => Err(Malformed::UnknownCommand),
        }
    }

    /// The message as it is sent.
    #[must_use]
    pub fn into_message(self) -> Message {
        match self {
            Self::Request { address, body } => send_addressed(REQUEST, address, body),
            Self::Heartbeat => head(HEARTBEAT).into(),
            Self::Disconnect => head(DISCONNECT).into(),
        }
    }
}

/// Whether a service of this name belongs to the broker itself (RFC 8): no worker may offer it.
#[must_use]
pub fn is_reserved(service: &[u8]) -> bool {
    service.starts_with(RESERVED_PREFIX)
}

/// Whether a service may have this name: 1 to 255 bytes, whatever they are.
#[must_use]
pub const fn is_service_name(service: &[u8]) -> bool {
    !service.is_empty() && service.len() <= MAX_SERVICE_NAME
}

/// Whether this message, as it is sent, is a command to or of a worker.
pub(super) fn is_worker_command(message: &Message) -> bool {
    matches!(message.frames(), [delimiter, header, ..] if delimiter.is_empty() && *header == WORKER_HEADER)
}

/// The frames and the place of the first empty one.
fn delimited(message: Message, max_frames: usize) -> Result<(Vec<Frame>, usize), Malformed> {
    if message.len() > max_frames {
        return Err(Malformed::TooManyFrames);
    }
    let mut first = message.frames().iter().take(MAX_ENVELOPE + 1);
    let delimiter = first
        .position(Frame::is_empty)
        .ok_or(Malformed::NoDelimiter)?;
    Ok((message.into_frames(), delimiter))
}

fn header(frames: &[Frame], delimiter: usize) -> Result<&Frame, Malformed> {
    frames.get(delimiter + 1).ok_or(Malformed::NoHeader)
}

/// What is wrong with a header that is not the expected one.
fn strange(header: &Frame) -> Malformed {
    match header.as_slice() {
        [b'M', b'D', b'P', b'C' | b'W', b'0', _] => Malformed::OtherHeader,
        _ => Malformed::UnknownHeader,
    }
}

/// The command of a message with the workers' header; such a message has no envelope.
fn command(frames: &[Frame], delimiter: usize) -> Result<u8, Malformed> {
    if delimiter > 0 {
        return Err(Malformed::WorkerEnvelope);
    }
    match frames.get(2).ok_or(Malformed::NoCommand)?.as_slice() {
        [command] => Ok(*command),
        _ => Err(Malformed::UnknownCommand),
    }
}

/// Takes the name of a service out of `frames`.
fn service_name(frames: &mut [Frame], index: usize) -> Result<Frame, Malformed> {
    let name = frames.get_mut(index).ok_or(Malformed::NoService)?;
    if !is_service_name(name) {
        return Err(Malformed::ServiceName);
    }
    Ok(std::mem::take(name))
}

/// Address and body of a REQUEST to a worker or a REPLY of one: exactly one address frame, then an empty one.
fn addressed(mut frames: Vec<Frame>) -> Result<(Frame, Message), Malformed> {
    let Some([.., address, delimiter]) = frames.get_mut(..5) else {
        return Err(Malformed::NoAddress);
    };
    if !delimiter.is_empty() {
        return Err(Malformed::NoAddress);
    }
    let address = std::mem::take(address);
    frames.drain(..5);
    let body = Message::from_frames(frames).ok_or(Malformed::NoBody)?;
    Ok((address, body))
}

fn send_addressed(command: u8, address: Frame, body: Message) -> Message {
    let [delimiter, header, command] = head(command);
    prepend([delimiter, header, command, address, Frame::empty()], body)
}

fn head(command: u8) -> [Frame; 3] {
    [
        Frame::empty(),
        Frame::from(WORKER_HEADER),
        Frame::from([command]),
    ]
}

/// The frames of `head` and of `rest` in one message, in the memory of `rest` if it has room.
fn prepend(head: impl IntoIterator<Item = Frame>, rest: Message) -> Message {
    let mut frames = rest.into_frames();
    frames.splice(..0, head);
    Message::from_frames(frames).unwrap_or_else(|| Message::from(Frame::empty()))
}

/// The message of these frames, which are left empty; none if there are none.
fn take_all(frames: &mut [Frame]) -> Option<Message> {
    let mut frames = frames.iter_mut().map(std::mem::take);
    let mut message = Message::from(frames.next()?);
    frames.for_each(|frame| message.push(frame));
    Some(message)
}

#[cfg(test)]
mod tests;
