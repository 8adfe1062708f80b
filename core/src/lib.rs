#![doc = include_str!("../README.md")]

mod frame;
mod message;
mod routing_id;
mod socket_type;

pub use frame::Frame;
pub use message::Message;
pub use routing_id::{InvalidRoutingId, RoutingId};
pub use socket_type::SocketType;
