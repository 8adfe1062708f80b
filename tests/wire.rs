//! Byte-exact dialogues with a scripted peer, from RFC 37 and from what libzmq 4.3.5 does.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test fails by a panic"
)]

mod support;

#[path = "wire/advisories.rs"]
mod advisories;
#[path = "wire/commands.rs"]
mod commands;
#[path = "wire/faults.rs"]
mod faults;
#[path = "wire/frames.rs"]
mod frames;
#[path = "wire/handshake.rs"]
mod handshake;
#[path = "wire/hearing.rs"]
mod hearing;
#[path = "wire/heartbeats.rs"]
mod heartbeats;
#[path = "wire/places.rs"]
mod places;
#[path = "wire/refusals.rs"]
mod refusals;
#[path = "wire/strangers.rs"]
mod strangers;
#[path = "wire/subscriptions.rs"]
mod subscriptions;
