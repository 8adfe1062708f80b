//! [`CallError`] and [`ClientError`]: what can go wrong with a call.

use std::sync::Arc;

use privateer_core::{EndpointError, NoRuntime};

use crate::majordomo::InvalidServiceName;

/// A call ended without a result.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The name is not one of a service.
    #[error(transparent)]
    Name(#[from] InvalidServiceName),
    /// There was no reply in time. The request may have been worked on all the same.
    #[error("{}", timed_out(*attempts))]
    TimedOut {
        /// How many attempts there were; none if no connection to the broker stood, or it was not its turn in time.
        attempts: u32,
    },
    /// There was no reply in time, and the broker, one of another implementation, had its share of retries, so another
    /// attempt was refused.
    #[error(
        "no reply after {attempts} attempts, and no more are allowed; other calls have to be made first"
    )]
    Refused {
        /// How many attempts there were.
        attempts: u32,
    },
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The arguments cannot be written as MessagePack.
    #[error("the arguments cannot be encoded")]
    Encode(#[source] Arc<rmp_serde::encode::Error>),
    /// The reply cannot be read as the result that was asked for.
    #[error("the reply cannot be decoded as the result that is asked for")]
    Decode(#[source] Arc<rmp_serde::decode::Error>),
    /// The reply is not that of a typed service.
    #[error("the reply is not that of a typed service; use `request` for a service of frames")]
    NotTyped,
    /// The name of the call has no method: write it as `service.method`.
    #[error("{call:?} names no method; write it as service.method")]
    NoMethodNamed {
        /// What was called.
        call: String,
    },
    /// The service has no such method.
    #[error("the service has no method {method:?}")]
    NoSuchMethod {
        /// The method.
        method: String,
    },
    /// The arguments are not those that the method takes.
    #[error("the method does not take these arguments: {reason}")]
    BadRequest {
        /// What the service said.
        reason: String,
    },
    /// The method returned an error.
    #[error("the method failed: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// The method panicked.
    #[error("the method panicked")]
    Panicked,
}

fn timed_out(attempts: u32) -> String {
    match attempts {
        0 => "the request could not be sent in time; is the broker up?".to_owned(),
        _ => format!(
            "no reply in time after {attempts} attempts; is the broker up, and a worker for the service?"
        ),
    }
}

/// A client could not be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The endpoint is none to connect to.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// There is no Tokio runtime.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
}
