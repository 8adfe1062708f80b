//! DEALER (RFC 28): requests and replies without a lockstep.

use super::close::Owned;
use super::live::{live_recv_hwm, live_send_hwm};
use super::{every_socket, fair_queued_recv, recv_events, round_robin_send};

/// Sends to and receives from many peers; frames are left as they are.
///
/// | | |
/// |---|---|
/// | peers | REP, DEALER, ROUTER |
/// | direction | both |
/// | incoming | fair-queued |
/// | outgoing | round-robin |
/// | mute state | no peer has room: `send` waits |
///
/// To talk to a REP, begin each message with an empty frame.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{DealerSocket, RouterSocket};
///
/// let router = RouterSocket::new()?;
/// let endpoint = router.bind("tcp://127.0.0.1:*").await?;
/// let dealer = DealerSocket::new()?;
/// dealer.connect(&endpoint)?;
///
/// dealer.send("one").await?;
/// dealer.send("two").await?;
/// let (peer, _) = router.recv().await?;
/// router.send(&peer, "first").await?;
/// assert_eq!(dealer.recv().await?[0], "first");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct DealerSocket {
    pub(crate) core: Owned,
}

impl DealerSocket {
    const fn from_core(core: Owned) -> Self {
        Self { core }
    }
}

every_socket!(DealerSocket, Dealer);
live_send_hwm!(DealerSocket);
live_recv_hwm!(DealerSocket);
round_robin_send!(DealerSocket);
fair_queued_recv!(DealerSocket);
recv_events!(DealerSocket);
