//! What a transport provides: listeners, dialled connections, streams of octets.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::credentials::Credentials;
use crate::endpoint::Endpoint;

/// A stream of octets in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Whether the kernel has to be asked for what has come.
    const IN_KERNEL: bool = true;

    /// Ready when reading may make progress, so that an idle connection need not own a buffer.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// The network address of this side, if the transport has such.
    fn local_address(&self) -> Option<String> {
        None
    }
}

/// A listening endpoint. Dropping it stops listening.
pub(crate) trait Listener: Send + Sync + 'static {
    /// What it accepts.
    type Stream: Stream;

    /// The next connection and what is known of the other side.
    ///
    /// Cancel safe: dropped before it is ready, it has accepted nothing.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, OtherSide)>> + Send;

    /// Where it listens, wildcards resolved.
    fn endpoint(&self) -> &Endpoint;
}

/// What a transport knows of the other side before that has said anything.
#[derive(Debug, Default)]
pub(crate) struct OtherSide {
    /// The network address, of IPv4 if it can be.
    pub(crate) address: Option<SocketAddr>,
    /// The process, over ipc.
    pub(crate) credentials: Option<Credentials>,
}

/// A way to reach one endpoint.
pub(crate) trait Dialer: Send + Sync + 'static {
    /// What it connects.
    type Stream: Stream;

    /// One try to connect, with the other side's address. Names are resolved again at each.
    fn dial(
        &self,
    ) -> impl Future<Output = Result<(Self::Stream, Option<String>), DialError>> + Send;
}

/// Why a try to connect failed.
#[derive(Debug)]
pub(crate) enum DialError {
    /// A name stands for no address.
    Unresolved(io::Error),
    /// No address could be connected to; this is what the last one led to.
    Io(io::Error),
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
