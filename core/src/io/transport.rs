//! What a transport provides: listeners, dialled connections, streams of octets.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::endpoint::Endpoint;

/// A stream of octets in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Ready when reading may make progress, so that an idle connection need not own a buffer.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A listening endpoint. Dropping it stops listening.
pub(crate) trait Listener: Send + Sync + 'static {
    /// What it accepts.
    type Stream: Stream;

    /// The next connection and the other side's address.
    ///
    /// Cancel safe: dropped before it is ready, it has accepted nothing.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<String>)>> + Send;

    /// Where it listens, wildcards resolved.
    fn endpoint(&self) -> &Endpoint;
}

/// A way to reach one endpoint.
pub(crate) trait Dialer: Send + Sync + 'static {
    /// What it connects.
    type Stream: Stream;

    /// One try to connect, with the other side's address. Names are resolved again at each.
    fn dial(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<String>)>> + Send;
}
