//! PUSH and PULL (RFC 30): work goes one way.

use super::close::Owned;
use super::readiness::{recv_ready, send_ready};
use super::{every_socket, fair_queued_recv, round_robin_send};

/// Sends messages to workers, each to the next one that has room.
///
/// | | |
/// |---|---|
/// | peers | PULL |
/// | direction | sends only |
/// | outgoing | round-robin |
/// | mute state | no peer has room: `send` waits |
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{PullSocket, PushSocket};
///
/// let pull = PullSocket::new()?;
/// let endpoint = pull.bind("tcp://127.0.0.1:*").await?;
///
/// let push = PushSocket::new()?;
/// push.connect(&endpoint)?;
/// push.send("work").await?;
///
/// assert_eq!(pull.recv().await?[0], "work");
/// assert_eq!(push.close().await.unsent, 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PushSocket {
    pub(crate) core: Owned,
}

impl PushSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }
}

every_socket!(PushSocket, Push);
round_robin_send!(PushSocket);
send_ready!(PushSocket);

/// Receives messages, from each peer in turn.
///
/// | | |
/// |---|---|
/// | peers | PUSH |
/// | direction | receives only |
/// | incoming | fair-queued |
///
/// See [`PushSocket`] for an example.
#[derive(Debug)]
pub struct PullSocket {
    pub(crate) core: Owned,
}

impl PullSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }
}

every_socket!(PullSocket, Pull);
fair_queued_recv!(PullSocket);
recv_ready!(PullSocket);
