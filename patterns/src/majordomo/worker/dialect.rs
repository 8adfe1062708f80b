//! [`Dialect`]: how a worker says what all workers say. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use privateer_core::Message;

use crate::majordomo::protocol::{BrokerCommand, Malformed, WorkerCommand};
use crate::majordomo::{MAJORDOMO, ServiceName};
use crate::paranoid_pirate::PATTERN;
use crate::paranoid_pirate::protocol::{Framing, FromWorker, ToWorker};

/// The protocol between a worker and who gives it requests: one engine speaks them all.
#[derive(Clone, Debug)]
pub(crate) enum Dialect {
    /// RFC 7: to a broker, for this service.
    Majordomo(ServiceName),
    /// RFC 6, or the guide's Simple Pirate: to a queue.
    Pirate(Framing),
}

/// What a worker heard.
#[derive(Debug)]
pub(crate) enum Heard {
    Request { address: Message, body: Message },
    Heartbeat,
    Dismissed,
}

impl Dialect {
    /// The token by which two of ours know each other.
    pub(crate) const fn pattern(&self) -> &'static str {
        match self {
            Self::Majordomo(_) => MAJORDOMO,
            Self::Pirate(_) => PATTERN,
        }
    }

    pub(crate) fn ready(&self) -> Option<Message> {
        match self {
            Self::Majordomo(service) => {
                let service = service.as_frame().clone();
                Some(WorkerCommand::Ready { service }.into_message())
            }
            Self::Pirate(framing) => FromWorker::Ready.into_message(*framing),
        }
    }

    pub(crate) fn heartbeat(&self) -> Option<Message> {
        match self {
            Self::Majordomo(_) => Some(WorkerCommand::Heartbeat.into_message()),
            Self::Pirate(framing) => FromWorker::Heartbeat.into_message(*framing),
        }
    }

    /// Whether heartbeats are sent and expected.
    pub(crate) const fn has_heartbeats(&self) -> bool {
        !matches!(self, Self::Pirate(Framing::Simple))
    }

    /// Whether a heartbeat of a worker without room does no harm. The guide's queue takes it for READY (RFC 6 as it is
    /// spoken), and would give it one more request.
    pub(crate) const fn beats_when_full(&self, to_ours: bool) -> bool {
        to_ours || matches!(self, Self::Majordomo(_))
    }

    /// What is said when no more requests are taken, before those in hand are answered.
    pub(crate) fn retreat(&self, to_ours: bool) -> Option<Message> {
        match self {
            Self::Pirate(framing) if to_ours => FromWorker::Goodbye.into_message(*framing),
            Self::Pirate(_) | Self::Majordomo(_) => None,
        }
    }

    /// What is said last.
    pub(crate) fn goodbye(&self) -> Option<Message> {
        match self {
            Self::Majordomo(_) => Some(WorkerCommand::Disconnect.into_message()),
            Self::Pirate(_) => None,
        }
    }

    pub(crate) fn reply(&self, address: Message, body: Message) -> Option<Message> {
        match self {
            Self::Majordomo(_) => {
                let (address, _) = address.split_first();
                Some(WorkerCommand::Reply { address, body }.into_message())
            }
            Self::Pirate(framing) => FromWorker::Reply { address, body }.into_message(*framing),
        }
    }

    pub(crate) fn read(&self, message: Message, max_frames: usize) -> Result<Heard, Malformed> {
        match self {
            Self::Majordomo(_) => Ok(match BrokerCommand::read(message, max_frames)? {
                BrokerCommand::Request { address, body } => Heard::Request {
                    address: address.into(),
                    body,
                },
                BrokerCommand::Heartbeat => Heard::Heartbeat,
                BrokerCommand::Disconnect => Heard::Dismissed,
            }),
            Self::Pirate(framing) => Ok(match ToWorker::read(message, *framing, max_frames)? {
                ToWorker::Request { address, body } => Heard::Request { address, body },
                ToWorker::Heartbeat => Heard::Heartbeat,
            }),
        }
    }
}
