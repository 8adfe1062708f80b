//! Accepting connections on a bound endpoint.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::sleep;

use super::connection::{Established, Origin, converse, establish};
use super::crowd::Visitor;
use super::transport::{Listener, OtherSide, Stream};
use crate::connection::Connection;
use crate::monitor::{HandshakeFailure, SocketEvent};
use crate::options::Incoming;
use crate::peer::Direction;
use crate::socket::core::{Core, Phase};
use crate::watch;

/// Connections of one listener whose handshake is under way; more wait in the kernel's backlog.
const HANDSHAKES_MAX: usize = 1024;
/// How long to wait after accepting failed, for want of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection that may shake hands.
struct Arrival {
    connection: Connection,
    other: OtherSide,
    visitor: Visitor,
    /// Given back when the handshake is over.
    permit: OwnedSemaphorePermit,
}

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
            biased;
            _ = &mut stop => return,
            accepted = accepted => accepted,
        };
        // The semaphore is never closed.
        let Ok(permit) = permit else { return };
        match accepted {
            Ok((stream, other)) => {
                tokio::select! {
                    biased;
                    _ = &mut stop => return,
                    () = core.wait_for_receiver(listener.endpoint()) => {}
                }
                let mut connection =
                    Connection::new(listener.endpoint().clone(), Direction::Accepted);
                connection.local_address = stream.local_address();
                connection.remote_address = other.address.map(|address| address.to_string());
                core.events.emit(SocketEvent::Accepted {
                    connection: connection.clone(),
                });
                let limit = core.options.max_connections_per_address;
                let from = other.address.map(|address| address.ip());
                let Some(visitor) = core.crowd.enter(from, limit) else {
                    core.refuse(&connection, HandshakeFailure::TooManyConnections);
                    continue;
                };
                let arrival = Arrival {
                    connection,
                    other,
                    visitor,
                    permit,
                };
                let phase = core.phase.subscribe();
                tokio::spawn(serve(Arc::clone(&core), stream, arrival, phase));
            }
            Err(error) => {
                let endpoint = listener.endpoint().clone();
                tracing::warn!(%endpoint, %error, "accepting a connection failed");
                core.events.emit(SocketEvent::AcceptFailed {
                    endpoint,
                    error: error.kind(),
                    os_error: error.raw_os_error(),
                });
                tokio::select! {
                    biased;
                    _ = &mut stop => return,
                    () = sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

/// One accepted connection, from before the handshake to its end.
async fn serve<S: Stream>(
    core: Arc<Core>,
    stream: S,
    arrival: Arrival,
    mut phase: watch::Receiver<Phase>,
) {
    let Arrival {
        connection,
        other,
        mut visitor,
        permit,
    } = arrival;
    let established = tokio::select! {
        biased;
        // A socket that closes does not wait for handshakes.
        _ = phase.wait_for(|phase| *phase != Phase::Running) => None,
        established = admit(&core, stream, &other, &connection) => established,
    };
    drop(permit);
    visitor.has_shaken_hands();
    drop(connection);
    if let Some(established) = established {
        converse(&core, established, &mut phase).await;
    }
}

/// Shakes hands, if the other side may connect at all.
async fn admit<S: Stream>(
    core: &Arc<Core>,
    stream: S,
    other: &OtherSide,
    connection: &Connection,
) -> Option<Established<S>> {
    let process = other.credentials;
    let mut may_connect = true;
    if let Some(hook) = &core.options.accept_hook {
        may_connect = hook.admits(&Incoming {
            connection: connection.clone(),
            ip: other.address.map(|address| address.ip()),
            uid: process.map(|process| process.uid),
            gid: process.map(|process| process.gid),
        });
    }
    if may_connect && let Some(process) = process {
        may_connect = core.options.ipc_filters.admit(process).await;
    }
    if !may_connect {
        core.refuse(connection, HandshakeFailure::Refused);
        return None;
    }
    let origin = Origin {
        connection,
        outbound: None,
        name: None,
    };
    establish(core, stream, origin).await.ok()
}
