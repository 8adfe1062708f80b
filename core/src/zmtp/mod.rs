//! PURE: ZMTP 3.1 (RFC 37) as state machines: bytes in, bytes and values out; no clock, task, socket or randomness.
//!
//! ```text
//!   we                                             the peer
//!   signature, revision   (11 octets)  ──▶  ◀──    the same, at once
//!   minor, mechanism ...  (53 octets)  ──▶  ◀──    after the other's 11
//!   READY                              ──▶  ◀──    after the other's 64
//!   messages and commands              ──▶  ◀──    after the other's READY
//! ```
//!
//! [`greeting`] is the 64 octets, [`frame`] the header of a frame, [`command`] the frames that are commands,
//! [`handshake`] the machine that goes through all of it up to the traffic, [`traffic`] the one for what follows. Whatever arrives is a value: no input panics, and nothing is allocated for bytes that a
//! peer merely claims to send.

pub(crate) mod command;
pub(crate) mod frame;
pub(crate) mod greeting;
pub(crate) mod handshake;
pub(crate) mod traffic;
