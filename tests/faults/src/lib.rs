//! What the tests of faults in `tests/` need: processes that can be killed and stopped, and links that can be cut.
//!
//! ```text
//! test ──signals, lines──► process of an example program, or the puppet (src/bin)    [Process]
//!
//! process ──► link ──► process       the link passes octets on, delays, holds back, damages, doubles, cuts    [Link]
//! ```
//!
//! The example programs are built here before the first of them is started, with the profile of the tests, since cargo
//! builds examples only for the package that owns them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is unexpected here fails a test"
)]

mod doubled;
mod link;
mod process;
mod programs;
mod wait;

pub use link::{Direction, Link};
pub use process::Process;
pub use programs::program;
pub use wait::{SLACK, scale, soon, until, within};
