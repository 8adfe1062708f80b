//! [`StdListener`]: a listener that was made elsewhere.

use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

/// A listener that was made elsewhere, for `bind_listener`: by the program itself, or by a service manager that hands
/// it over (systemd's socket activation).
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use privateer_core::{PullSocket, PushSocket};
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let pull = PullSocket::new()?;
/// let endpoint = pull.bind_listener(listener).await?;
///
/// let push = PushSocket::new()?;
/// push.connect(&endpoint)?;
/// push.send("work").await?;
/// assert_eq!(pull.recv().await?[0], "work");
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum StdListener {
    /// Of tcp.
    Tcp(TcpListener),
    /// Of ipc. Its file stays when the socket closes: whoever made it removes it.
    #[cfg(unix)]
    Unix(UnixListener),
}

impl From<TcpListener> for StdListener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

#[cfg(unix)]
impl From<UnixListener> for StdListener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}
