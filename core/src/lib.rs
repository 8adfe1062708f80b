#![doc = include_str!("../README.md")]

mod endpoint;
mod frame;
#[cfg(fuzzing)]
pub mod fuzzing;
mod message;
mod routing_id;
mod socket_type;
mod zmtp;

pub use endpoint::{Endpoint, EndpointError};
pub use frame::Frame;
pub use message::Message;
pub use routing_id::{InvalidRoutingId, RoutingId};
pub use socket_type::SocketType;
pub use zmtp::handshake::{HandshakeError, MalformedHandshake};
