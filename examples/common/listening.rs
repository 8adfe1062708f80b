//! The first line of a program that binds.

use std::io::{Write, stdout};

use privateer::core::Endpoint;

/// Prints where the program listens, at once, so that a script can wait for it.
pub(crate) fn listening(endpoint: &Endpoint) -> std::io::Result<()> {
    println!("listening on {endpoint}");
    stdout().flush()
}
