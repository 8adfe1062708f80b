//! Keeping one endpoint connected: dial, shake hands, serve, back off, dial again.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::backoff::Backoff;
use super::connection::{Origin, aborted, converse, establish};
use super::transport::{DialError, Dialer, Stream as _};
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::monitor::{ConnectFailure, DisconnectReason, DropReason, HandshakeFailure, SocketEvent};
use crate::options::ReconnectPolicy;
use crate::peer::{Direction, PeerId};
use crate::socket::core::{Core, Phase};
use crate::socket::endpoints::Connected;
use crate::socket::outbound::Slot;
use crate::watch;

/// A connection that was established for so long starts the waits between tries anew.
const STABLE: Duration = Duration::from_secs(1);

/// One connected endpoint.
pub(crate) struct Connecter<D> {
    pub(crate) core: Arc<Core>,
    pub(crate) dialer: D,
    pub(crate) endpoint: Endpoint,
    pub(crate) outbound: Slot,
    pub(crate) phase: watch::Receiver<Phase>,
}

/// The end of one try to connect.
struct Ended {
    connection: PeerId,
    failure: ConnectFailure,
    /// Whether a connection was established, and for long enough.
    stable: bool,
}

impl<D: Dialer> Connecter<D> {
    /// Keeps the endpoint connected until it is disconnected or the socket closes, or a failure is one to give up after.
    pub(crate) async fn run(mut self) {
        if let Some(ended) = self.keep_connected().await {
            self.give_up(&ended);
        }
        self.core.left(&self.outbound);
    }

    /// Tries until there is no more to do, or returns the failure to give up after.
    async fn keep_connected(&mut self) -> Option<Ended> {
        let options = &self.core.options;
        let mut backoff = Backoff::new(options.reconnect_interval, options.reconnect_interval_max);
        while !self.is_done() {
            if !self.core.is_vacant() {
                self.wait_for_place().await;
                continue;
            }
            tokio::select! {
                biased;
                () = self.core.wait_for_receiver(&self.endpoint) => {}
                // Nobody will receive; but what is queued may still go out.
                _ = self.phase.wait_for(|phase| *phase != Phase::Running) => {}
            }
            let ended = self.attempt().await?;
            if self.is_done() {
                break;
            }
            if ended.stable {
                backoff.reset();
            }
            let after = match self.core.options.policy(ended.failure.class()) {
                ReconnectPolicy::Retry => backoff.next(fastrand::f64()),
                ReconnectPolicy::RetryAtLongest => backoff.longest(fastrand::f64()),
                ReconnectPolicy::Stop => return Some(ended),
            };
            self.core.events.emit(SocketEvent::Retrying {
                endpoint: self.endpoint.clone(),
                connection: ended.connection,
                failure: ended.failure,
                after,
            });
            tokio::select! {
                biased;
                () = sleep(after) => {}
                // Closing: if there is nothing to send, there is nothing to wait for.
                _ = self.phase.changed() => {}
            }
        }
        None
    }

    /// A socket with one peer does not make others wait for it, nor take what they send to it.
    async fn wait_for_place(&mut self) {
        let refused = Connection::new(self.endpoint.clone(), Direction::Connected);
        self.core.refuse(&refused, HandshakeFailure::PairOccupied);
        tokio::select! {
            biased;
            () = self.core.vacancy() => {}
            () = ended(&self.core, &self.outbound, &mut self.phase) => {}
        }
    }

    /// One connection, from dialling to its end; none if there is no reason to go on.
    async fn attempt(&mut self) -> Option<Ended> {
        let mut connection = Connection::new(self.endpoint.clone(), Direction::Connected);
        self.core.events.emit(SocketEvent::Connecting {
            connection: connection.clone(),
        });
        let failed = |failure| {
            Some(Ended {
                connection: connection.id,
                failure,
                stable: false,
            })
        };
        let dial = timeout(self.core.options.connect_timeout, self.dialer.dial());
        let dialled = tokio::select! {
            biased;
            () = ended(&self.core, &self.outbound, &mut self.phase) => return None,
            dialled = dial => dialled,
        };
        let (stream, remote_address) = match dialled {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return failed(error.into()),
            Err(_elapsed) => return failed(ConnectFailure::TimedOut),
        };
        connection.local_address = stream.local_address();
        connection.remote_address = remote_address;
        self.core.events.emit(SocketEvent::Dialled {
            connection: connection.clone(),
        });
        let origin = Origin {
            connection: &connection,
            outbound: self.outbound.pipe(),
            name: self.outbound.name(),
        };
        let established = tokio::select! {
            biased;
            () = aborted(&mut self.phase) => return None,
            established = establish(&self.core, stream, origin) => established,
        };
        let established = match established {
            Ok(established) => established,
            Err(failure) => return failed(failure.into()),
        };
        let begun = Instant::now();
        let reason = converse(&self.core, established, &mut self.phase).await;
        if self.core.traits.raw && reason == DisconnectReason::ClosedHere {
            // Whoever closes a connection of raw octets is done with it.
            self.forget();
            return None;
        }
        Some(Ended {
            connection: connection.id,
            failure: reason.into(),
            stable: begun.elapsed() >= STABLE,
        })
    }

    /// Whether there is no reason to connect again.
    fn is_done(&self) -> bool {
        is_done(&self.core, &self.outbound, &self.phase)
    }

    /// Takes the endpoint off the socket's list, if it is there.
    fn forget(&self) -> Option<Connected> {
        let is_own = |one: &Connected| one.outbound.is(&self.outbound);
        let connected = &mut self.core.endpoints.lock().connected;
        let index = connected.iter().position(is_own);
        index.map(|index| connected.remove(index))
    }

    /// Lets the socket forget the endpoint, and tells.
    fn give_up(&self, ended: &Ended) {
        let core = &self.core;
        let forgotten = self.forget();
        let mut unsent = 0;
        // Whoever disconnects or closes has taken it off the list, and reports what is unsent.
        if let Some(forgotten) = forgotten {
            let taken = core.leave_with_queue(&self.endpoint, slice::from_ref(&forgotten));
            if let Some(pipe) = taken.or_else(|| self.outbound.pipe()) {
                core.outbox.remove(&pipe);
                pipe.finish();
                let queued = pipe.counts().queued;
                core.retire(&pipe, (queued, DropReason::ConnectionLost), None);
                unsent = queued as u64;
            }
            core.settle_queue(None);
        }
        core.events.emit(SocketEvent::GivenUp {
            endpoint: self.endpoint.clone(),
            connection: ended.connection,
            failure: ended.failure.clone(),
            unsent,
        });
    }
}

/// Waits until there is no reason to go on connecting.
async fn ended(core: &Core, outbound: &Slot, phase: &mut watch::Receiver<Phase>) {
    while !is_done(core, outbound, phase) {
        if phase.changed().await.is_err() {
            return;
        }
    }
}

fn is_done(core: &Core, outbound: &Slot, phase: &watch::Receiver<Phase>) -> bool {
    if phase.has_changed().is_err() {
        // Whoever was disconnecting does not wait for it any more.
        return true;
    }
    match phase.get() {
        Phase::Running => false,
        Phase::Draining => !core.has_unsent(outbound),
        Phase::Abort => true,
    }
}

impl From<DialError> for ConnectFailure {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Unresolved(error) => {
                tracing::debug!(%error, "a name is not resolved");
                Self::Unresolved
            }
            DialError::Io(error) => Self::Io(error.kind()),
        }
    }
}
