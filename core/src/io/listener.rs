//! Accepting connections on a bound endpoint.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;

use super::connection::{Established, Origin, converse, establish};
use super::credentials::Credentials;
use super::transport::{Listener, Stream};
use crate::connection::Connection;
use crate::monitor::{HandshakeFailure, SocketEvent};
use crate::peer::Direction;
use crate::socket::core::Core;

/// Connections of one listener whose handshake is under way; more wait in the kernel's backlog.
const HANDSHAKES_MAX: usize = 1024;
/// How long to wait after accepting failed, for want of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until `stop` is dropped or fires. The listener is closed when this returns; connections live on.
pub(crate) async fn run<L: Listener>(
    core: Arc<Core>,
    listener: L,
    mut stop: oneshot::Receiver<()>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let accepted = async {
            let permit = Arc::clone(&handshakes).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            accepted = accepted => accepted,
            _ = &mut stop => return,
        };
        match accepted {
            Ok((stream, other)) => {
                tokio::select! {
                    () = core.wait_for_receiver(listener.endpoint()) => {}
                    _ = &mut stop => return,
                }
                let mut connection =
                    Connection::new(listener.endpoint().clone(), Direction::Accepted);
                connection.local_address = stream.local_address();
                connection.remote_address = other.address;
                core.events.emit(SocketEvent::Accepted {
                    connection: connection.clone(),
                });
                let core = Arc::clone(&core);
                let mut phase = core.phase.subscribe();
                tokio::spawn(async move {
                    let established = tokio::select! {
                        established = admit(&core, stream, other.credentials, &connection) => established,
                        // A socket that closes does not wait for handshakes.
                        _ = phase.wait_for(|phase| *phase != crate::socket::core::Phase::Running) => None,
                    };
                    drop(permit);
                    if let Some(established) = established {
                        converse(&core, established, &mut phase).await;
                    }
                });
            }
            Err(error) => {
                let endpoint = listener.endpoint().clone();
                tracing::warn!(%endpoint, %error, "accepting a connection failed");
                core.events.emit(SocketEvent::AcceptFailed {
                    endpoint,
                    error: error.kind(),
                });
                tokio::select! {
                    () = sleep(ACCEPT_PAUSE) => {}
                    _ = &mut stop => return,
                }
            }
        }
    }
}

/// Shakes hands, if the other side may connect at all.
async fn admit<S: Stream>(
    core: &Arc<Core>,
    stream: S,
    credentials: Option<Credentials>,
    connection: &Connection,
) -> Option<Established<S>> {
    if let Some(process) = credentials
        && !core.options.ipc_filters.admit(process).await
    {
        core.refuse(connection, HandshakeFailure::Refused);
        return None;
    }
    let origin = Origin {
        connection,
        outbound: None,
    };
    establish(core, stream, origin).await.ok()
}
