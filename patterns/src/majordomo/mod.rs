//! Majordomo: services by name, behind a broker (RFC 7), with the broker's own answers of RFC 8.
//!
//! ```text
//!  clients ── REQUEST ──►  broker  ── REQUEST ──►  workers of "echo"
//!          ◄── REPLY ────          ◄── REPLY ────  workers of "calc"
//!                                  ◄─ HEARTBEAT ─►
//! ```
//!
//! Each role is a machine without sockets, tasks and clock: messages and the time go in, messages and events come out.
//! After each input, drain `poll_output`, then wait for the next message or for `next_timeout`, whichever is first.
//!
//! # Example
//! A broker, a worker and a client, without a network:
//! ```
//! use std::time::Instant;
//!
//! use privateer::core::Frame;
//! use privateer::majordomo::broker::{BrokerMachine, BrokerOptions, Output, PeerKey};
//! use privateer::majordomo::protocol::{ClientMessage, WorkerCommand};
//! use privateer::majordomo::PeerFacts;
//!
//! let (now, worker, client) = (Instant::now(), PeerKey(1), PeerKey(2));
//! let mut broker = BrokerMachine::new(BrokerOptions::default(), 7);
//! broker.peer_up(now, worker, PeerFacts::default());
//! broker.peer_up(now, client, PeerFacts::default());
//!
//! let ready = WorkerCommand::Ready { service: Frame::from("echo") };
//! broker.handle_message(now, worker, ready.into_message());
//! let request = ClientMessage {
//!     envelope: None,
//!     service: Frame::from("echo"),
//!     body: Some("hello".into()),
//! };
//! broker.handle_message(now, client, request.into_message());
//!
//! let sent = std::iter::from_fn(|| broker.poll_output()).find_map(|output| match output {
//!     Output::Send { to, message } => Some((to, message)),
//!     _ => None,
//! });
//! let (to, message) = sent.expect("the worker gets the request");
//! assert_eq!(to, worker);
//! assert_eq!(message[5], "hello");
//! ```

mod announcement;
pub mod broker;
pub mod client;
pub mod protocol;
mod service_name;
pub mod worker;

pub use crate::announcement::{EXTENSION, PROPERTY};
pub(crate) use announcement::MAJORDOMO;
pub use announcement::PeerFacts;
pub use service_name::{InvalidServiceName, ServiceName};
