//! [`Client`]: the machine at work, shared by all who call.

use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Instant;

use privateer_core::{Endpoint, EndpointError, Message, PeerEvent};

use super::{
    CallError, CallKey, CallOptions, ClientError, ClientEvent, ClientMachine, ClientOptions,
    ClientStats, LaneKey, Outcome, Output,
};
use crate::caller::{CallMachine, Caller, Step};
use crate::events::Events;
use crate::majordomo::{PROPERTY, PeerFacts, ServiceName};

/// A Majordomo client (RFC 7): many calls in flight, each with retries and an end in time. Cheap to clone.
///
/// Calls survive lost connections and a broker that is restarted: what was not answered is sent again. So a request may
/// be worked on more than once; each call ends once.
///
/// - A broker of another implementation gets requests again only within a [`budget`](super::ClientOptions::budget); calls
///   that would need more attempts than it allows end as [`CallError::Refused`].
/// - If this process was stopped, or its machine suspended, calls whose time is over end soon after it wakes: what came
///   meanwhile is read first, for 100 ms.
///
/// See [`Broker`](crate::Broker) for an example.
#[derive(Clone, Debug)]
pub struct Client {
    caller: Caller<ClientMachine>,
    options: CallOptions,
}

/// Calls in flight; others wait for their turn.
const WINDOW: NonZeroUsize = NonZeroUsize::new(256).unwrap();

impl Client {
    /// A client of the broker at an endpoint, with default options. The broker need not be there yet.
    ///
    /// # Errors
    /// [`ClientError`] if the endpoint is none to connect to, or there is no Tokio runtime; there is no other.
    pub fn connect<E>(broker: E) -> Result<Self, ClientError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        Self::with_options(broker, ClientOptions::default())
    }

    /// A client with options of its own.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn with_options<E>(broker: E, options: ClientOptions) -> Result<Self, ClientError>
    where
        E: TryInto<Endpoint>,
        E::Error: Into<EndpointError>,
    {
        let broker = broker.try_into().map_err(Into::into)?;
        broker.check_connectable()?;
        let announced = PeerFacts::privateer(NonZeroU16::MIN).property();
        let machine = ClientMachine::new(options);
        Ok(Self {
            caller: Caller::new(machine, vec![broker], announced, WINDOW.get())?,
            options: CallOptions::default(),
        })
    }

    /// The same client, whose calls have these options.
    #[must_use]
    pub fn call_options(mut self, options: CallOptions) -> Self {
        self.options = options;
        self
    }

    /// Sends a request to a service, and waits for the reply. At most 256 calls of a client are in flight at a time;
    /// others wait, until their [`deadline`](CallOptions::deadline) at the longest. The limit that the attempts set
    /// together counts from when the call is one of the 256.
    ///
    /// # Errors
    /// [`CallError::Name`], [`TimedOut`](CallError::TimedOut), [`Refused`](CallError::Refused) or
    /// [`Closed`](CallError::Closed); there is no other.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the call is given up: the request may be worked on, and its reply is dropped.
    pub async fn request(
        &self,
        service: impl Into<privateer_core::Frame>,
        body: impl Into<Message>,
    ) -> Result<Message, CallError> {
        let service = ServiceName::new(service)?;
        let (body, options) = (body.into(), self.options);
        let begin = |machine: &mut ClientMachine, now| machine.call(now, service, body, options);
        match self.caller.call(options.deadline, begin).await {
            Some(Outcome::Reply(reply)) => Ok(reply),
            Some(Outcome::TimedOut { attempts }) => Err(CallError::TimedOut { attempts }),
            Some(Outcome::Refused { attempts }) => Err(CallError::Refused { attempts }),
            Some(Outcome::Cancelled) | None => Err(CallError::Closed),
        }
    }

    /// What the client has counted, and what it holds now.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        self.caller.look(ClientMachine::stats)
    }

    /// A subscription to what happens in the client from now on.
    #[must_use]
    pub fn events(&self) -> Events<ClientEvent> {
        self.caller.events()
    }

    /// Ends all calls of all clones with [`CallError::Closed`] and closes the connections.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the connections close in the background.
    pub async fn close(self) {
        self.caller.close().await;
    }
}

impl CallMachine for ClientMachine {
    type Lane = LaneKey;
    type Call = CallKey;
    type Outcome = Outcome;
    type Event = ClientEvent;

    fn handle(&mut self, now: Instant, lane: LaneKey, event: PeerEvent) {
        match event {
            PeerEvent::Message(_, message) => self.handle_message(now, lane, message),
            PeerEvent::Up(peer) => {
                self.lane_up(now, lane, PeerFacts::read(peer.property(PROPERTY)));
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
            Output::OpenLane { lane, delay } => Step::Open(lane, 0, delay),
            Output::CloseLane(lane) => Step::Close(lane),
            Output::Send { lane, message } => Step::Send(lane, message),
            Output::Finished { call, outcome } => Step::Finished(call, outcome),
            Output::Event(event) => Step::Tell(event),
        })
    }

    fn log(event: &ClientEvent) {
        tracing::debug!(target: "privateer::client", ?event);
    }
}
