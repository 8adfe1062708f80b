//! [`Requests`]: the one request of a REQ socket, and which peer has it.
//!
//! The request is kept as a value and encoded once a peer's READY is known: with a correlation frame if the peer is a
//! REP or announces `X-Privateer`, plain otherwise, since some ROUTER programs reject the extra frame. When the peer is
//! lost, the request goes to the next one.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use super::core::Core;
use crate::error::SendErrorKind;
use crate::frame::Frame;
use crate::message::Message;
use crate::monitor::{DisconnectReason, DropReason};
use crate::peer::{Link, PeerId};
use crate::socket_type::SocketType;
use crate::sync::Mutex;
use crate::zmtp::traffic::PeerMisbehaved;

/// The property by which our own sockets announce what they can do beyond the protocol.
const PRIVATEER_PROPERTY: &str = "X-Privateer";

/// The request of a REQ socket.
#[derive(Debug)]
pub(crate) struct Requests {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// In round-robin order; the first is asked next.
    links: Vec<Arc<Link>>,
    pending: Option<Pending>,
    /// Peers that owe a reply to an abandoned request that nothing tells from the next one.
    owing: Vec<PeerId>,
    next_id: u32,
}

#[derive(Debug)]
struct Pending {
    message: Message,
    correlation: Frame,
    asked: Option<PeerId>,
    /// Who was asked before and is lost; what they replied may still be in their pipes.
    lost: Vec<PeerId>,
}

/// What came from a peer.
#[derive(Debug)]
pub(crate) enum Accepted {
    Reply(Message),
    /// The envelope has no delimiter, so that the connection is to end.
    NoDelimiter(Arc<Link>),
}

impl Pending {
    fn was_asked(&self, peer: PeerId) -> bool {
        self.asked == Some(peer) || self.lost.contains(&peer)
    }
}

impl Requests {
    pub(crate) fn new(first_id: u32) -> Self {
        Self {
            state: Mutex::new(State {
                links: Vec::new(),
                pending: None,
                owing: Vec::new(),
                next_id: first_id,
            }),
        }
    }

    pub(crate) fn has_pending(&self) -> bool {
        self.state.lock().pending.is_some()
    }

    /// Whether there is a request that no peer was asked.
    pub(crate) fn is_unsent(&self) -> bool {
        self.state
            .lock()
            .pending
            .as_ref()
            .is_some_and(|pending| pending.asked.is_none())
    }

    /// Makes `message` the request; in lockstep only if there is none.
    pub(crate) fn send(
        &self,
        core: &Arc<Core>,
        message: Message,
    ) -> Result<(), (SendErrorKind, Message)> {
        let mut state = self.state.lock();
        if state.links.is_empty() {
            drop(state);
            if !core.endpoints.lock().connects() {
                return Err((SendErrorKind::Full, message));
            }
            state = self.state.lock();
        }
        if core.options.req_lockstep && state.pending.is_some() {
            return Err((SendErrorKind::RequestOutstanding, message));
        }
        state.abandon();
        let id = state.next_id;
        state.next_id = id.wrapping_add(1);
        state.pending = Some(Pending {
            message,
            correlation: Frame::from(id.to_ne_bytes()),
            asked: None,
            lost: Vec::new(),
        });
        let dispatched = state.dispatch(core);
        drop(state);
        dispatched.settle(core);
        Ok(())
    }

    /// Gives the request up; a late reply to it is dropped.
    pub(crate) fn abandon(&self, core: &Core) {
        self.state.lock().abandon();
        core.inbox.recheck();
    }

    /// Looks at a message that came from `link`: the reply, or nothing of use.
    ///
    /// It is called under the lock of who receives, so that it ends no connection.
    pub(crate) fn accept(
        &self,
        core: &Core,
        link: &Arc<Link>,
        message: Message,
    ) -> Option<Accepted> {
        let mut state = self.state.lock();
        let correlated = correlates(link, core);
        let Some((correlation, reply)) = open(message, correlated) else {
            return Some(Accepted::NoDelimiter(Arc::clone(link)));
        };
        if let Some(index) = state.owing.iter().position(|id| *id == link.id) {
            state.owing.swap_remove(index);
        } else if let Some(pending) = &state.pending
            && pending.was_asked(link.id)
            && correlation.is_none_or(|id| id == pending.correlation)
        {
            let asked = state.pending.take().and_then(|pending| pending.asked);
            // The reply of one that was lost is here first.
            state.owing.extend(asked.filter(|id| *id != link.id));
            return Some(Accepted::Reply(reply));
        }
        drop(state);
        core.dropped(link, DropReason::UnexpectedReply);
        None
    }

    /// What is to be done with an accepted message when nothing is locked: the reply, if it is that.
    pub(crate) fn settle(&self, core: &Arc<Core>, accepted: Accepted) -> Option<Message> {
        match accepted {
            Accepted::Reply(reply) => {
                // Others wait for none any more.
                core.inbox.recheck();
                Some(reply)
            }
            Accepted::NoDelimiter(link) => {
                // "Discard ... and close" is what libzmq does with a peer that does not send the delimiter.
                let reason = DisconnectReason::Misbehaved(PeerMisbehaved::NoDelimiter);
                core.end(&link, reason);
                None
            }
        }
    }

    pub(crate) fn peer_up(&self, core: &Arc<Core>, link: &Arc<Link>) {
        self.state.lock().links.push(Arc::clone(link));
        self.dispatch(core);
        core.outbox.bell.0.notify_one();
    }

    /// The request of a lost peer goes to the next one.
    pub(crate) fn peer_down(&self, core: &Arc<Core>, link: &Link) {
        // A socket that closes has no use for a reply.
        let closed = core.endpoints.lock().closed;
        let mut state = self.state.lock();
        state.links.retain(|other| other.id != link.id);
        state.owing.retain(|id| *id != link.id);
        if let Some(pending) = &mut state.pending
            && pending.asked == Some(link.id)
            && !closed
        {
            pending.asked = None;
            pending.lost.push(link.id);
        }
        drop(state);
        self.dispatch(core);
    }

    /// Sends the request to the next peer, if it is not with one.
    fn dispatch(&self, core: &Arc<Core>) {
        let dispatched = self.state.lock().dispatch(core);
        dispatched.settle(core);
    }
}

/// What is left to do when nothing is locked.
#[derive(Default)]
struct Dispatched {
    /// Whom the request was sent to, if its session does not know yet.
    sent: Option<Arc<Link>>,
    /// Connections that have to start anew before they can be used.
    resets: Vec<Arc<Link>>,
}

impl Dispatched {
    fn settle(self, core: &Arc<Core>) {
        if let Some(link) = self.sent {
            link.write_now();
        }
        for link in self.resets {
            core.end(&link, DisconnectReason::RequestAbandoned);
        }
    }
}

impl State {
    fn abandon(&mut self) {
        if let Some(asked) = self.pending.take().and_then(|pending| pending.asked) {
            self.owing.push(asked);
        }
    }

    /// Sends the request to the next peer.
    fn dispatch(&mut self, core: &Core) -> Dispatched {
        let mut dispatched = Dispatched::default();
        let Some(pending) = self
            .pending
            .as_mut()
            .filter(|pending| pending.asked.is_none())
        else {
            return dispatched;
        };
        for _ in 0..self.links.len() {
            let Some(link) = self.links.first().cloned() else {
                break;
            };
            self.links.rotate_left(1);
            let correlated = correlates(&link, core);
            if let Some(index) = self.owing.iter().position(|id| *id == link.id) {
                if !correlated {
                    // Its late reply could not be told from the next one.
                    dispatched.resets.push(link);
                    continue;
                }
                self.owing.swap_remove(index);
            }
            let envelope = [pending.correlation.clone(), Frame::empty()];
            let envelope = envelope.get(usize::from(!correlated)..).unwrap_or_default();
            if let Ok(reader_waits) = link.outbound.put(envelope, pending.message.frames()) {
                pending.asked = Some(link.id);
                dispatched.sent = reader_waits.then_some(link);
                break;
            }
        }
        dispatched
    }
}

/// What is woken when a pipe that was full has room: the request may be waiting for it.
pub(crate) fn waker(core: &Arc<Core>) -> Waker {
    Waker::from(Arc::new(Room(Arc::downgrade(core))))
}

struct Room(Weak<Core>);

impl Wake for Room {
    /// Over inproc it is called by the other socket under the lock of who receives, which the end of a connection may need.
    fn wake(self: Arc<Self>) {
        let Some(core) = self.0.upgrade() else {
            return;
        };
        let Dispatched { sent, resets } = core.requests.state.lock().dispatch(&core);
        if let Some(link) = sent {
            link.outbound.wake_reader();
        }
        if !resets.is_empty() {
            let runtime = core.runtime.clone();
            // Asked anew: a late reply may come before, and then the connection is as good as any.
            runtime.spawn(async move { core.requests.dispatch(&core) });
        }
    }
}

fn correlates(link: &Link, core: &Core) -> bool {
    let announced = |(name, _): &(String, _)| name.eq_ignore_ascii_case(PRIVATEER_PROPERTY);
    !core.options.req_lockstep
        && (link.facts.socket_type == SocketType::Rep
            || link.facts.properties.iter().any(announced))
}

/// Takes the envelope off a reply; none if it is not there.
fn open(message: Message, correlated: bool) -> Option<(Option<Frame>, Message)> {
    let (first, rest) = message.split_first();
    if !correlated {
        return first.is_empty().then_some((None, rest?));
    }
    let (delimiter, reply) = rest?.split_first();
    delimiter.is_empty().then_some((Some(first), reply?))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::{Endpoint, RouterSocket, SocketOptions};

    /// Room is told by who receives, under a lock that the end of a connection may need: connections that are to start anew
    /// end later.
    #[tokio::test]
    async fn room_resets_no_connection_under_the_lock_of_who_receives() {
        let (router, req) = (
            RouterSocket::new().unwrap(),
            Core::new(SocketType::Req, SocketOptions::new()).unwrap(),
        );
        for name in ["inproc://room-for-one", "inproc://room-for-another"] {
            router.bind(name).await.unwrap();
            req.connect(Endpoint::try_from(name).unwrap(), None)
                .unwrap();
        }
        let before = req.links();
        {
            let mut state = req.requests.state.lock();
            state.owing = before.iter().map(|link| link.id).collect();
            state.pending = Some(Pending {
                message: Message::from("?"),
                correlation: Frame::empty(),
                asked: None,
                lost: Vec::new(),
            });
        }
        router.core.seal();
        let (done, outcome) = mpsc::channel();
        let waker = waker(&req);
        // A thread of its own, which may hang.
        std::thread::spawn(move || {
            let told = router.core.inbox.try_next(&mut |_, _| {
                waker.wake_by_ref();
                Some(())
            });
            done.send((told, router))
        });
        let (told, _router) = outcome
            .recv_timeout(Duration::from_secs(10))
            .expect("it hangs");
        assert!(told.is_some());
        let ended = async {
            while !req.links().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
        ended.expect("they do not end");
    }
}
