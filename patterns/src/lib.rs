#![doc = include_str!("../README.md")]

mod aborted;
mod announcement;
mod arena;
pub mod blocking;
mod caller;
mod connection;
mod ended;
mod events;
pub mod heartbeat;
mod idempotency;
pub mod lazy_pirate;
pub mod majordomo;
pub mod paranoid_pirate;
pub mod retry;
mod service;
mod timers;
mod token;

pub use events::Events;
pub use majordomo::broker::{Broker, BrokerError, BrokerHandle};
pub use majordomo::client::{CallError, Client, ClientError};
pub use majordomo::worker::{Worker, WorkerError, WorkerHandle};
pub use privateer_core as core;
pub use service::Service;
