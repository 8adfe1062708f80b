//! Options of a socket for one connection at a time: what waits for one must not come before the greeting on the next.

use std::time::Duration;

use privateer_core::SocketOptions;

use crate::announcement::PROPERTY;

/// The longest wait between two tries to connect: a peer that comes back is found soon.
pub(crate) const RECONNECT_MAX: Duration = Duration::from_millis(500);

/// Options of such a socket, which announces this to its peer.
pub(crate) fn options(announced: String) -> SocketOptions {
    let announcing = SocketOptions::new().property(PROPERTY, announced);
    announcing
        .unwrap_or_default()
        .immediate()
        .reconnect_interval_max(RECONNECT_MAX)
}
