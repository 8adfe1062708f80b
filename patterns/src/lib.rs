#![doc = include_str!("../README.md")]

mod events;
pub mod majordomo;
mod service;

pub use events::Events;
pub use majordomo::broker::{Broker, BrokerError, BrokerHandle};
pub use majordomo::client::{CallError, Client, ClientError};
pub use majordomo::worker::{Worker, WorkerError, WorkerHandle};
pub use privateer_core as core;
pub use service::Service;
