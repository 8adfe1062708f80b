//! What the tests share.

#![allow(
    dead_code,
    unused_macros,
    unused_imports,
    reason = "each test program uses a part of it"
)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

pub(crate) mod process;
pub(crate) mod raw_peer;
pub(crate) mod relay;
pub(crate) mod sockets;
