//! PAIR (RFC 31): two sockets, exclusively.

use super::close::Owned;
use super::live::{live_recv_hwm, live_send_hwm};
use super::{every_socket, fair_queued_recv, round_robin_send};

/// Talks to one peer and no other, both ways.
///
/// | | |
/// |---|---|
/// | peers | PAIR, one at a time; a second connection is refused |
/// | direction | both |
/// | incoming | from the peer |
/// | outgoing | to the peer |
/// | mute state | no peer, or no room: `send` waits |
///
/// It may connect and bind to as many endpoints as it likes: the first peer that comes has it, and the next one only when
/// that is gone. Meanwhile it refuses others, and connects to nobody else; [`HandshakeFailed`] with [`PairOccupied`]
/// tells.
///
/// A socket that is connected to an endpoint takes messages before anybody is there, unless it is `immediate`. These, and
/// what is left over when a connection is lost, go to the next peer, whichever way it comes. Without a connected endpoint
/// the queue dies with the connection, and is counted.
///
/// [`HandshakeFailed`]: crate::SocketEvent::HandshakeFailed
/// [`PairOccupied`]: crate::HandshakeFailure::PairOccupied
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::PairSocket;
///
/// let (left, right) = (PairSocket::new()?, PairSocket::new()?);
/// left.bind("inproc://pair-example").await?;
/// right.connect("inproc://pair-example")?;
/// left.send("ready?").await?;
/// right.recv().await?;
/// right.send("ready!").await?;
/// assert_eq!(left.recv().await?[0], "ready!");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct PairSocket {
    pub(crate) core: Owned,
}

impl PairSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }
}

every_socket!(PairSocket, Pair);
live_send_hwm!(PairSocket);
live_recv_hwm!(PairSocket);
round_robin_send!(PairSocket);
fair_queued_recv!(PairSocket);
