//! [`LazyPirate`]: the machine at work, shared by all who call.

use std::time::{Duration, Instant};

use privateer_core::{Endpoint, EndpointError, Message, PeerEvent, SocketType};

use super::{
    CallKey, LaneKey, LazyPirateError, LazyPirateEvent, LazyPirateMachine, LazyPirateOptions,
    LazyPirateStats, Outcome, Output, PATTERN,
};
use crate::announcement::{Announcement, PROPERTY, announce};
use crate::caller::{CallMachine, Caller, Step};
use crate::events::Events;
use crate::timers::after;

/// A Lazy Pirate client: many calls in flight to one of several servers, each with retries and an end in time. Cheap to
/// clone.
///
/// See [`lazy_pirate`](crate::lazy_pirate) for an example and for its contract.
#[derive(Clone, Debug)]
pub struct LazyPirate {
    caller: Caller<LazyPirateMachine>,
    within: Option<Duration>,
}

impl LazyPirate {
    /// A client of the servers at these endpoints, with default options. They need not be there yet.
    ///
    /// # Errors
    /// [`LazyPirateError`] if there is no endpoint, one of them is none to connect to, or there is no Tokio runtime; there
    /// is no other here.
    pub fn connect<E>(servers: impl IntoIterator<Item = E>) -> Result<Self, LazyPirateError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        Self::with_options(servers, LazyPirateOptions::default())
    }

    /// A client with options of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn with_options<E>(
        servers: impl IntoIterator<Item = E>,
        options: LazyPirateOptions,
    ) -> Result<Self, LazyPirateError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let read = |server: E| -> Result<Endpoint, EndpointError> {
            let server = server.try_into().map_err(Into::into)?;
            server.check_connectable()?;
            Ok(server)
        };
        let servers: Result<Vec<_>, _> = servers.into_iter().map(read).collect();
        let servers = servers?;
        if servers.is_empty() {
            return Err(LazyPirateError::NoEndpoint);
        }
        let (window, within) = (options.window, options.within);
        let machine = LazyPirateMachine::new(servers.len(), options, fastrand::u64(..));
        let caller = Caller::new(machine, servers, announce(&[PATTERN.to_owned()]), window)?;
        Ok(Self { caller, within })
    }

    /// Sends a request to one of the servers, and waits for the reply.
    ///
    /// # Errors
    /// [`LazyPirateError::NotConnected`], [`TimedOut`](LazyPirateError::TimedOut),
    /// [`Refused`](LazyPirateError::Refused) or [`Cancelled`](LazyPirateError::Cancelled); there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the call is given up: the request may be worked on, and its reply is dropped.
    pub async fn request(&self, body: impl Into<Message>) -> Result<Message, LazyPirateError> {
        let body = body.into();
        let now = tokio::time::Instant::now().into_std();
        let deadline = self.within.map(|limit| after(now, limit));
        let begin = |machine: &mut LazyPirateMachine, now| machine.call(now, deadline, body);
        match self.caller.call(deadline, begin).await {
            Some(Outcome::Reply(reply)) => Ok(reply),
            Some(Outcome::NotConnected) => Err(LazyPirateError::NotConnected),
            Some(Outcome::TimedOut { tries }) => Err(LazyPirateError::TimedOut { tries }),
            Some(Outcome::Refused { tries }) => Err(LazyPirateError::Refused { tries }),
            Some(Outcome::Cancelled) | None => Err(LazyPirateError::Cancelled),
        }
    }

    /// What the client has counted, and what it holds now.
    #[must_use]
    pub fn stats(&self) -> LazyPirateStats {
        self.caller.look(LazyPirateMachine::stats)
    }

    /// A subscription to what happens in the client from now on.
    #[must_use]
    pub fn events(&self) -> Events<LazyPirateEvent> {
        self.caller.events()
    }

    /// Ends all calls of all clones with [`LazyPirateError::Cancelled`] and closes the connections.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the connections close in the background.
    pub async fn close(self) {
        self.caller.close().await;
    }
}

impl CallMachine for LazyPirateMachine {
    type Lane = LaneKey;
    type Call = CallKey;
    type Outcome = Outcome;
    type Event = LazyPirateEvent;

    fn handle(&mut self, now: Instant, lane: LaneKey, event: PeerEvent) {
        match event {
            PeerEvent::Message(_, message) => self.handle_message(now, lane, message),
            PeerEvent::Up(peer) => {
                let announced = Announcement::read(peer.property(PROPERTY));
                let is_ours = announced.is_some_and(|announced| announced.has(PATTERN));
                self.lane_up(now, lane, is_ours || peer.socket_type() == SocketType::Rep);
            }
            PeerEvent::Down(_) => self.lane_down(now, lane),
            _ => {}
        }
    }

    fn time_out(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn due(&self) -> Option<Instant> {
        self.next_timeout()
    }

    fn give_up(&mut self, now: Instant, call: CallKey) {
        self.cancel(now, call);
    }

    fn forget_lanes(&mut self) {
        self.close_lanes();
    }

    fn next_step(&mut self) -> Option<Step<Self>> {
        Some(match self.poll_output()? {
            Output::OpenLane {
                lane,
                server,
                delay,
            } => Step::Open(lane, server, delay),
            Output::CloseLane(lane) => Step::Close(lane),
            Output::Send { lane, message } => Step::Send(lane, message),
            Output::Finished { call, outcome } => Step::Finished(call, outcome),
            Output::Event(event) => Step::Tell(event),
        })
    }

    fn log(event: &LazyPirateEvent) {
        tracing::debug!(target: "privateer::lazy_pirate", ?event);
    }
}
