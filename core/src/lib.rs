#![doc = include_str!("../README.md")]

mod frame;
mod message;
mod routing_id;

pub use frame::Frame;
pub use message::Message;
pub use routing_id::{InvalidRoutingId, RoutingId};
