//! Keeping one endpoint connected: dial, shake hands, serve, back off, dial again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Origin, aborted, converse, establish};
use super::flight::Flight;
use super::transport::Dialer;
use crate::endpoint::Endpoint;
use crate::monitor::SocketEvent;
use crate::peer::Direction;
use crate::pipe::Pipe;
use crate::socket::core::{Core, Phase};

/// A connection that lasted this long starts the waits between tries anew.
const STABLE: Duration = Duration::from_secs(1);

/// One connected endpoint.
pub(crate) struct Connecter<D> {
    pub(crate) core: Arc<Core>,
    pub(crate) dialer: D,
    pub(crate) endpoint: Endpoint,
    /// The endpoint's pipe, which outlives its connections; none if each connection has its own.
    pub(crate) outbound: Option<Arc<Pipe>>,
    pub(crate) phase: watch::Receiver<Phase>,
}

impl<D: Dialer> Connecter<D> {
    /// Keeps the endpoint connected until it is disconnected or the socket closes.
    pub(crate) async fn run(mut self) {
        let mut flight = Flight::default();
        let mut tries = 0;
        while !self.is_done(&flight) {
            let begun = Instant::now();
            let error = self.attempt(&mut flight).await;
            if error.is_none() && begun.elapsed() >= STABLE {
                tries = 0;
            }
            if self.is_done(&flight) {
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
    }

    /// One connection, from dialling to its end; returns why it was not established, if it was not.
    async fn attempt(&mut self, flight: &mut Flight) -> Option<io::ErrorKind> {
        let dial = timeout(self.core.options.connect_timeout, self.dialer.dial());
        let dialled = tokio::select! {
            dialled = dial => dialled.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into())),
            () = aborted(&mut self.phase) => return None,
        };
        let (stream, remote_address) = match dialled {
            Ok(connected) => connected,
            Err(error) => return Some(error.kind()),
        };
        let origin = Origin {
            endpoint: &self.endpoint,
            remote_address,
            direction: Direction::Connected,
            outbound: self.outbound.as_ref(),
        };
        let established = tokio::select! {
            established = establish(&self.core, stream, origin) => established,
            () = aborted(&mut self.phase) => return None,
        };
        let Some(established) = established else {
            return Some(io::ErrorKind::ConnectionRefused);
        };
        converse(&self.core, established, flight, &mut self.phase).await;
        if self.outbound.is_none() {
            // It belonged to the connection.
            *flight = Flight::default();
        }
        None
    }

    /// Whether there is no reason to connect again.
    fn is_done(&self, flight: &Flight) -> bool {
        if self.phase.has_changed().is_err() {
            // Whoever was disconnecting does not wait for it any more.
            return true;
        }
        match *self.phase.borrow() {
            Phase::Running => false,
            Phase::Draining => match &self.outbound {
                Some(pipe) => pipe.counts().queued == 0 && flight.is_empty(),
                None => !self.core.requests.is_unsent(),
            },
            Phase::Abort => true,
        }
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
