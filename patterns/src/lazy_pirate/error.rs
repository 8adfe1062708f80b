//! [`LazyPirateError`]: how a call ended without a reply.

use privateer_core::{BindError, EndpointError, NoRuntime};

/// A call ended without a reply, or a client or server could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LazyPirateError {
    /// No server was connected in time; the request was never sent.
    #[error("no server is connected; is one running at the endpoint?")]
    NotConnected,
    /// There was no reply in time. The request may have been worked on all the same.
    #[error("{}", timed_out(*tries))]
    TimedOut {
        /// How many tries there were; none if all connections to servers that take one call at a time were taken, or it was
        /// not its turn in time.
        tries: u32,
    },
    /// There was no reply in time, and the server had its share of retries, so another try was refused.
    #[error(
        "no reply after {tries} tries, and no more are allowed; other calls have to be made first"
    )]
    Refused {
        /// How many tries there were.
        tries: u32,
    },
    /// The client was closed.
    #[error("the client is closed")]
    Cancelled,
    /// There is no endpoint to connect to.
    #[error("no endpoint was given; give one at least")]
    NoEndpoint,
    /// An endpoint is none to connect to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// An endpoint cannot be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// There is no Tokio runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
}

fn timed_out(tries: u32) -> String {
    match tries {
        0 => "the request could not be sent in time; are there too many calls?".to_owned(),
        _ => {
            format!("no reply in time after {tries} tries; is the server too slow, or stopped?")
        }
    }
}
