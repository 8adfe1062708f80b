//! Peers that are not ours, for the tests of interoperability in `tests/`.
//!
//! ```text
//! test ──jobs──► thread with a libzmq socket (the `zmq` crate, 4.3.4)             [Libzmq]
//! test ──lines─► process with a pyzmq socket (peers/peer.py, libzmq 4.3.5)      [Pyzmq]
//! test ──lines─► process with a program of its own (peers/*.py)                   [Program]
//! ```
//!
//! The `zmq` crate builds libzmq from source, which takes a C++ compiler. pyzmq comes from PyPI into a virtual
//! environment below the target directory, made once by whichever test is first; that takes `python3` with `venv` and
//! `pip` (Debian: `python3-venv`). Where that is missing, the tests that need it say so on standard error and pass;
//! with `CI=true` they fail.
//!
//! What is unexpected panics, which fails the test.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "what is unexpected here fails a test"
)]

mod foreign;
mod libzmq;
mod process;
mod pyzmq;
mod venv;
mod wait;

pub use foreign::{Foreign, Library, Role};
pub use libzmq::Libzmq;
pub use process::Program;
pub use pyzmq::Pyzmq;
pub use venv::Python;
pub use wait::{DEADLINE, connected, disconnected, event, soon, until, within};

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use privateer_core::{Frame, Message};

/// A body whose bytes tell their place, so that one out of place is seen.
#[must_use]
pub fn body(len: usize) -> Vec<u8> {
    (0..=250_u8).cycle().take(len).collect()
}

/// The message of these frames.
#[must_use]
pub fn message<F: AsRef<[u8]>>(frames: impl IntoIterator<Item = F>) -> Message {
    let frames = frames
        .into_iter()
        .map(|frame| Frame::copy_from_slice(frame.as_ref()));
    Message::from_frames(frames.collect()).unwrap()
}

/// The frames of a message, as peers have them.
#[must_use]
pub fn frames(message: &Message) -> Vec<Vec<u8>> {
    message
        .frames()
        .iter()
        .map(|frame| frame.to_vec())
        .collect()
}

/// A tcp endpoint where nobody listens.
///
/// Its port is below those that the kernel gives to clients, so that none of them takes it while its server is away.
#[must_use]
pub fn vacant() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let ports = 10_000..30_000_u16;
    // Two programs that run at once begin at different ones.
    let offset = u16::try_from(std::process::id() * 101 % 20_000).unwrap();
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(offset);
        let port = ports.start + next % (ports.end - ports.start);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return format!("tcp://127.0.0.1:{port}");
        }
    }
}
