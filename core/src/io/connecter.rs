//! Keeping one endpoint connected: dial, shake hands, serve, back off, dial again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Origin, aborted, converse, establish, refuse};
use super::transport::Dialer;
use crate::endpoint::Endpoint;
use crate::monitor::{HandshakeFailure, SocketEvent};
use crate::peer::Direction;
use crate::socket::core::{Core, Phase};
use crate::socket::outbound::Slot;

/// A connection that lasted this long starts the waits between tries anew.
const STABLE: Duration = Duration::from_secs(1);

/// One connected endpoint.
pub(crate) struct Connecter<D> {
    pub(crate) core: Arc<Core>,
    pub(crate) dialer: D,
    pub(crate) endpoint: Endpoint,
    pub(crate) outbound: Slot,
    pub(crate) phase: watch::Receiver<Phase>,
}

impl<D: Dialer> Connecter<D> {
    /// Keeps the endpoint connected until it is disconnected or the socket closes.
    pub(crate) async fn run(mut self) {
        let mut tries = 0;
        while !self.is_done() {
            if !self.core.is_vacant() {
                self.wait_for_place().await;
                continue;
            }
            tokio::select! {
                () = self.core.wait_for_receiver(&self.endpoint) => {}
                // Nobody will receive; but what is queued may still go out.
                _ = self.phase.wait_for(|phase| *phase != Phase::Running) => {}
            }
            let begun = Instant::now();
            let error = self.attempt().await;
            if error.is_none() && begun.elapsed() >= STABLE {
                tries = 0;
            }
            if self.is_done() {
                break;
            }
            let after = self.backoff(tries);
            tries = tries.saturating_add(1);
            self.core.events.emit(SocketEvent::Retrying {
                endpoint: self.endpoint.clone(),
                error,
                after,
            });
            tokio::select! {
                () = sleep(after) => {}
                // Closing: if there is nothing to send, there is nothing to wait for.
                _ = self.phase.changed() => {}
            }
        }
        self.core.left(&self.outbound);
    }

    /// A socket with one peer does not make others wait for it, nor take what they send to it.
    async fn wait_for_place(&mut self) {
        refuse(
            &self.core,
            &self.endpoint,
            None,
            HandshakeFailure::PairOccupied,
        );
        tokio::select! {
            () = self.core.vacancy() => {}
            () = ended(&self.core, &self.outbound, &mut self.phase) => {}
        }
    }

    /// One connection, from dialling to its end; returns why it was not established, if it was not.
    async fn attempt(&mut self) -> Option<io::ErrorKind> {
        let dial = timeout(self.core.options.connect_timeout, self.dialer.dial());
        let dialled = tokio::select! {
            dialled = dial => dialled.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into())),
            () = ended(&self.core, &self.outbound, &mut self.phase) => return None,
        };
        let (stream, remote_address) = match dialled {
            Ok(connected) => connected,
            Err(error) => return Some(error.kind()),
        };
        let origin = Origin {
            endpoint: &self.endpoint,
            remote_address,
            direction: Direction::Connected,
            outbound: self.outbound.pipe(),
        };
        let established = tokio::select! {
            established = establish(&self.core, stream, origin) => established,
            () = aborted(&mut self.phase) => return None,
        };
        let Some(established) = established else {
            return Some(io::ErrorKind::ConnectionRefused);
        };
        converse(&self.core, established, &mut self.phase).await;
        None
    }

    /// Whether there is no reason to connect again.
    fn is_done(&self) -> bool {
        is_done(&self.core, &self.outbound, &self.phase)
    }

    /// A random part of a wait that doubles with each try, so that many clients do not come back at once.
    fn backoff(&self, tries: u32) -> Duration {
        let options = &self.core.options;
        let base = options.reconnect_interval;
        let most = options.reconnect_interval_max.max(base);
        let wait = base.saturating_mul(2_u32.saturating_pow(tries)).min(most);
        wait.mul_f64(fastrand::f64())
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
    match *phase.borrow() {
        Phase::Running => false,
        Phase::Draining => !core.has_unsent(outbound),
        Phase::Abort => true,
    }
}
