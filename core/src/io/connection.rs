//! One connection from handshake to end, whichever side made it.

use std::future::poll_fn;
use std::io;
use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tracing::{Instrument as _, Span, field};

use super::busy_poll::BusyPoller;
use super::heartbeat::Heartbeat;
use super::raw::Raw;
use super::reader::Reader;
use super::seldom::Seldom;
use super::session::Session;
use super::shared::{Shared, Work};
use super::topics::Topics;
use super::transport::Stream;
use super::writer::Writer;
use crate::connection::Connection;
use crate::encoded::put_message;
use crate::monitor::{DisconnectReason, HandshakeFailure};
use crate::options::SocketOptions;
use crate::peer::{Link, PeerFacts};
use crate::pipe::Pipe;
use crate::routing::Traits;
use crate::routing_id::RoutingId;
use crate::socket::admission::{Admission, Seat};
use crate::socket::core::{Core, Newcomer, Phase};
use crate::watch;
use crate::zmtp::handshake::{Handshake, Local};
use crate::zmtp::traffic::Traffic;

/// The first read of a handshake, in bytes: a greeting and a READY fit.
const HANDSHAKE_READ: usize = 512;

/// Where a connection comes from, and the pipe that it is to serve.
pub(crate) struct Origin<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) outbound: Option<Arc<Pipe>>,
    /// By what name this socket addresses the peer, if it has chosen one.
    pub(crate) name: Option<&'a RoutingId>,
}

/// An established connection that is not served yet.
pub(crate) struct Established<S> {
    stream: S,
    early: BytesMut,
    pub(crate) link: Arc<Link>,
    /// What is told of the connection is told in it.
    span: Span,
}

/// Shakes hands and makes the other side a peer; a failure is counted and reported.
pub(crate) async fn establish<S: Stream>(
    core: &Arc<Core>,
    stream: S,
    origin: Origin<'_>,
) -> Result<Established<S>, HandshakeFailure> {
    let connection = origin.connection;
    let span = tracing::debug_span!(
        target: "privateer::connection",
        "connection",
        socket = core.socket_type.as_str(),
        endpoint = %connection.endpoint,
        direction = ?connection.direction,
        remote = connection.remote_address,
        peer = field::Empty,
    );
    let established = attach(core, stream, origin, &span);
    established.instrument(span.clone()).await
}

async fn attach<S: Stream>(
    core: &Arc<Core>,
    mut stream: S,
    origin: Origin<'_>,
    span: &Span,
) -> Result<Established<S>, HandshakeFailure> {
    let limit = core.options.handshake_timeout;
    let shaken = if core.traits.raw {
        Ok((PeerFacts::of_raw(), BytesMut::new(), None))
    } else {
        let shaking = shake_hands(core, &mut stream, origin.connection);
        let done = timeout(limit, shaking).await;
        done.unwrap_or(Err(HandshakeFailure::TimedOut))
    };
    let attached = shaken.and_then(|(mut facts, early, seat)| {
        facts.routing_id = origin.name.cloned().or(facts.routing_id);
        let newcomer = Newcomer {
            facts,
            connection: origin.connection.clone(),
            outbound: origin.outbound,
            inbound: None,
            seat,
            is_named: origin.name.is_some(),
        };
        let link = core.attach(newcomer)?;
        span.record("peer", link.id.0);
        Ok((link, early))
    });
    match attached {
        Ok((link, early)) => Ok(Established {
            stream,
            early,
            link,
            span: span.clone(),
        }),
        Err(reason) => {
            core.refuse(origin.connection, reason.clone());
            Err(reason)
        }
    }
}

/// Greeting and READY both ways; returns what was read behind them, and the peer's place if it has one already.
async fn shake_hands<S: Stream>(
    core: &Arc<Core>,
    stream: &mut S,
    connection: &Connection,
) -> Result<(PeerFacts, BytesMut, Option<Seat>), HandshakeFailure> {
    let local = Local {
        socket_type: core.socket_type,
        routing_id: core.options.routing_id.clone(),
        properties: core.options.properties.clone(),
    };
    let admission = core.admission(connection.direction);
    let mut handshake = match admission {
        Admission::AtTheEnd => Handshake::new(local),
        Admission::OnGreeting | Admission::OnReady => Handshake::withholding(local),
    };
    let mut seat = None;
    let mut input = BytesMut::with_capacity(HANDSHAKE_READ);
    loop {
        let heard = handshake.handle_input(&mut input);
        let progress = heard.map_err(Into::into).and_then(|remote| {
            let is_due = match admission {
                Admission::OnGreeting => handshake.is_greeted(),
                Admission::OnReady => remote.is_some(),
                Admission::AtTheEnd => false,
            };
            if is_due && seat.is_none() {
                let wanted = remote
                    .as_ref()
                    .and_then(|remote| remote.routing_id.as_ref());
                seat = Some(core.admit(connection.id, wanted, false)?);
                handshake.put_ready();
            }
            Ok::<_, HandshakeFailure>(remote)
        });
        if let Some(output) = handshake.take_output() {
            let written = stream.write_all(&output).await;
            // A refusal is to be reported as itself, even if the peer does not wait to hear it.
            if progress.is_ok() {
                written.map_err(|error| HandshakeFailure::Io(error.kind()))?;
            }
        }
        if let Some(remote) = progress? {
            let facts = PeerFacts {
                socket_type: remote.socket_type,
                minor: remote.minor,
                routing_id: remote.routing_id,
                properties: remote.properties,
            };
            return Ok((facts, input, seat));
        }
        match stream.read_buf(&mut input).await {
            Ok(0) => return Err(HandshakeFailure::ClosedByPeer),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Err(HandshakeFailure::ClosedByPeer);
            }
            Err(error) => return Err(HandshakeFailure::Io(error.kind())),
        }
    }
}

/// Serves an established connection until it ends; what was taken from its pipe and not wholly written goes back there.
pub(crate) async fn converse<S: Stream>(
    core: &Arc<Core>,
    established: Established<S>,
    phase: &mut watch::Receiver<Phase>,
) -> DisconnectReason {
    let span = established.span.clone();
    serve(core, established, phase).instrument(span).await
}

async fn serve<S: Stream>(
    core: &Arc<Core>,
    established: Established<S>,
    phase: &mut watch::Receiver<Phase>,
) -> DisconnectReason {
    let Established {
        stream,
        early,
        link,
        span: _,
    } = established;
    if core.traits.raw {
        let mut raw = Raw::new(stream, &link);
        let reason = unless_told(&link, phase, poll_fn(|cx| raw.poll(cx))).await;
        drop(raw);
        core.detach(&link, reason);
        return reason;
    }
    let now = Instant::now();
    // Some peers that announce ZMTP 3.0 close the connection at a PING.
    let interval = core
        .options
        .heartbeat_interval
        .filter(|_| link.facts.minor > 0);
    let session = Shared::new(Session {
        stream,
        reader: Reader::new(
            traffic(core, early),
            Arc::clone(&link.inbound),
            core.most_received(),
            Arc::clone(&core.counters),
        ),
        writer: Writer::new(
            Arc::clone(&link),
            hello(core, &link),
            Arc::clone(&core.pool),
        ),
        heartbeat: Heartbeat::new(interval, core.options.heartbeat_timeout, now),
        time_to_live: core.options.heartbeat_ttl.unwrap_or_default(),
        timer: None,
        timer_waits: false,
        busy_poller: busy_poller::<S>(&core.options, core.traits, &core.runtime),
        topics: Topics::new(Arc::clone(core), Arc::clone(&link)),
        span: Span::current(),
        task: Waker::noop().clone(),
        ended: None,
    });
    let session = Served(session);
    core.outbox.set_session(&link.outbound, &link);
    // A connection is served once.
    let _was_set = link.session.set(Arc::clone(&session.0) as Arc<dyn Work>);
    let reason = unless_told(&link, phase, session.0.run()).await;
    if let Some(mut session) = session.0.take() {
        let mut flight = std::mem::take(&mut session.writer.flight);
        drop(session);
        link.outbound.credit(flight.rewind());
        link.outbound.put_back(&mut flight.segments);
    }
    core.detach(&link, reason);
    reason
}

/// What is read of a connection, beginning with what came together with the end of the handshake.
fn traffic(core: &Core, early: BytesMut) -> Traffic {
    let largest = core.options.max_message_size.map(NonZeroU64::get);
    let mut traffic = Traffic::new(early, largest);
    traffic.set_subscriptions(core.subscriptions_in_messages());
    traffic
}

/// None for a connection that sleeps whenever there is nothing to do.
pub(super) fn busy_poller<S: Stream>(
    options: &SocketOptions,
    traits: Traits,
    runtime: &Handle,
) -> Option<BusyPoller> {
    let limit = options.busy_poll_limit(traits.alternates && S::IN_KERNEL, runtime);
    limit.map(BusyPoller::new)
}

/// Takes the session back from those who let it work, also if its task is dropped: it knows them, and they know it.
struct Served<S: Stream>(Arc<Shared<S>>);

impl<S: Stream> Drop for Served<S> {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

/// Runs to the end, or until the connection is to end before; tells why it ended.
async fn unless_told(
    link: &Link,
    phase: &mut watch::Receiver<Phase>,
    running: impl Future<Output = DisconnectReason>,
) -> DisconnectReason {
    let mut running = pin!(running);
    let mut told_to_end = Seldom::new(async {
        tokio::select! {
            biased;
            reason = link.ending.requested() => reason,
            () = aborted(phase) => DisconnectReason::ClosedHere,
        }
    });
    poll_fn(|cx| match told_to_end.poll(cx) {
        Poll::Pending => running.as_mut().poll(cx),
        ready => ready,
    })
    .await
}

/// Waits until a task is to end at once.
pub(crate) async fn aborted(phase: &mut watch::Receiver<Phase>) {
    // The sender is gone only with the socket itself.
    let _gone = phase.wait_for(|phase| *phase == Phase::Abort).await;
}

/// The encoded messages that precede everything on a new connection.
fn hello(core: &Core, link: &Link) -> BytesMut {
    let mut out = BytesMut::new();
    for message in core.first_messages(link.facts.socket_type) {
        put_message(&mut out, &message);
    }
    out
}
