//! [`Passage`]: one direction of a proxy.

use std::iter::once_with;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::Volume;
use crate::error::SendErrorKind;
use crate::frame::Frame;
use crate::monitor::DropReason;
use crate::parcel::Parcel;
use crate::peer::Link;
use crate::pipe::Refused;
use crate::routing::fair_queue::Passed;
use crate::routing::fan_out::To;
use crate::routing::source::Offered;
use crate::socket::asked::{Received, Told};
use crate::socket::core::Core;
use crate::socket::router::wait_for_room;
use crate::socket::xsub::pass_on;
use crate::sync::Mutex;

/// Messages that are passed on in one direction before the other has its turn.
const BURST: usize = 256;

/// One direction of a proxy: what `from` receives, `to` sends.
#[derive(Debug)]
pub(super) struct Passage {
    from: Arc<Core>,
    to: Arc<Core>,
    /// What an XPUB's peers are known to be subscribed to, if `from` is one.
    told: Option<Arc<Told>>,
    /// Locked for as long as a burst takes.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    tally: Tally,
    /// Whom the last message was for, so that one client's replies are not looked up each.
    last: Option<Arc<Link>>,
    /// Whether there was no room at the end of the last burst.
    mute: bool,
    /// Whether a subscriber's pipe has become full in this burst: its session should get to run.
    tight: bool,
}

/// What one direction has counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) received: Volume,
    pub(super) sent: Volume,
    pub(super) dropped: u64,
    pub(super) tap_dropped: u64,
}

/// Whether messages may pass.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: AtomicBool,
    opened: Notify,
}

/// What stops a passage for the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    NothingToSend,
    NoRoom,
    Paused,
}

/// What a message that was offered came to.
enum Verdict {
    Sent,
    Dropped,
    /// Its addressee has no room.
    Full(Arc<Link>),
    /// Nobody has room.
    Mute,
    /// It says nothing that the other side has not heard.
    Unsaid,
}

impl Passage {
    pub(super) fn new(from: &Arc<Core>, to: &Arc<Core>) -> Self {
        Self {
            from: Arc::clone(from),
            to: Arc::clone(to),
            told: None,
            state: Mutex::default(),
        }
    }

    /// Passes on what of an XPUB's subscriptions changes anything.
    pub(super) fn telling(mut self, told: &Arc<Told>) -> Self {
        self.told = Some(Arc::clone(told));
        self
    }

    /// Waits until no burst is under way.
    pub(super) fn settle(&self) {
        drop(self.state.lock());
    }

    pub(super) fn tally(&self) -> Tally {
        self.state.lock().tally
    }

    /// What tells that an obstacle may be gone.
    pub(super) fn change_of<'a>(&'a self, obstacle: Obstacle, gate: &'a Gate) -> &'a Notify {
        match obstacle {
            Obstacle::NothingToSend => self.from.inbox.readable(),
            Obstacle::NoRoom => self.room(),
            Obstacle::Paused => &gate.opened,
        }
    }

    /// Whether one of the two sockets is closed, after which nothing more comes or nothing can be sent.
    pub(super) fn is_closed(&self) -> bool {
        self.from.inbox.is_closed() || self.to.inbox.is_closed()
    }

    /// Waits until [`is_closed`](Self::is_closed).
    pub(super) async fn until_closed(&self) {
        tokio::select! {
            () = self.from.inbox.until_closed() => {}
            () = self.to.inbox.until_closed() => {}
        }
    }

    /// Passes on what is there, a burst at most, with a copy of each message to `taps`; tells what stopped it before.
    ///
    /// `waits` gets the tasks that wait for a peer to have room.
    pub(super) fn burst(
        &self,
        gate: &Gate,
        taps: &[Arc<Core>],
        waits: &mut JoinSet<()>,
    ) -> Option<Obstacle> {
        let mut state = self.state.lock();
        if gate.is_closed() {
            return Some(Obstacle::Paused);
        }
        state.tight = false;
        let mut held = Vec::new();
        let passed = self
            .from
            .inbox
            .pass_on(
                BURST,
                &mut |link, parcel| match self.offer(&mut state, taps, link, parcel) {
                    Verdict::Sent | Verdict::Dropped | Verdict::Unsaid => Offered::Taken,
                    Verdict::Mute => Offered::Refused,
                    Verdict::Full(addressee) => {
                        let by = Arc::clone(&self.from);
                        let link = Arc::clone(link);
                        held.push(Held { by, link }.until_room(addressee));
                        Offered::Later
                    }
                },
            );
        // Not before: a runtime that is shut down drops them at once, and so resumes their peers.
        for held in held {
            waits.spawn_on(held, &self.from.runtime);
        }
        if state.tight {
            return None;
        }
        let was_mute = std::mem::replace(&mut state.mute, passed == Passed::Refused);
        if was_mute && !state.mute {
            // There may be room for those who send on the same socket.
            self.room().notify_one();
        }
        match passed {
            Passed::All => Some(Obstacle::NothingToSend),
            Passed::Refused => Some(Obstacle::NoRoom),
            Passed::Most => None,
        }
    }

    /// Hands wake-ups that nothing came of on to others who wait on the two sockets.
    pub(super) fn leave(&self) {
        self.from.inbox.readable().notify_one();
        self.room().notify_one();
    }

    /// Rings when there is room.
    fn room(&self) -> &Notify {
        if self.to.traits.fans_out {
            &self.to.fan_out.gong.0
        } else {
            &self.to.outbox.bell.0
        }
    }

    /// Sends one message on, unless it has to wait, or is a subscription that changes nothing.
    fn offer(
        &self,
        state: &mut State,
        taps: &[Arc<Core>],
        from: &Arc<Link>,
        parcel: &Parcel<'_>,
    ) -> Verdict {
        // Before a subscription is counted: what is refused is offered again.
        if state.tight {
            return Verdict::Mute;
        }
        let Some(told) = &self.told else {
            return self.pass(state, taps, from, parcel);
        };
        let message = parcel.to_message();
        match message.and_then(|message| told.read(&self.from, message)) {
            Some(Received::Asked(_, message) | Received::Message(message)) => {
                self.pass(state, taps, from, &Parcel::Frames(message.frames()))
            }
            None => Verdict::Unsaid,
        }
    }

    /// Sends one message on, unless it has to wait, and a copy to each tap.
    fn pass(
        &self,
        state: &mut State,
        taps: &[Arc<Core>],
        from: &Arc<Link>,
        parcel: &Parcel<'_>,
    ) -> Verdict {
        let envelope = match self.from.traits.addressed {
            true => slice::from_ref(from.routing_id.as_frame()),
            false => &[],
        };
        let verdict = if self.to.traits.addressed {
            self.send_to_addressee(&mut state.last, parcel)
        } else if self.to.traits.fans_out {
            self.send_to_all(&mut state.tight, parcel)
        } else {
            match self
                .to
                .outbox
                .try_put(|pipe| parcel.publish(envelope, pipe))
            {
                Ok(()) => Verdict::Sent,
                Err(_full_or_closed) => Verdict::Mute,
            }
        };
        if matches!(verdict, Verdict::Sent | Verdict::Dropped) {
            let tally = &mut state.tally;
            tally.count(&verdict, envelope, parcel);
            for tap in taps {
                let copied = tap.outbox.try_put(|pipe| parcel.publish(envelope, pipe));
                tally.tap_dropped += u64::from(copied.is_err());
            }
        }
        verdict
    }

    /// Publishes a message, or lets an XSUB do what it says.
    fn send_to_all(&self, tight: &mut bool, parcel: &Parcel<'_>) -> Verdict {
        let Some(message) = parcel.to_message() else {
            return Verdict::Dropped;
        };
        let sent = if self.to.traits.publishes {
            let to = To::Subscribers;
            let sent = self.to.fan_out.try_send(&self.to, to, &message);
            sent.map_err(|_full_or_closed| Verdict::Mute)
        } else {
            pass_on(&self.to, message).map_err(|error| match error.kind() {
                // Nothing comes of it, and of its end neither.
                SendErrorKind::TopicTooLong => Verdict::Dropped,
                _ => Verdict::Mute,
            })
        };
        *tight = self.to.fan_out.take_tight();
        sent.map_or_else(|verdict| verdict, |()| Verdict::Sent)
    }

    /// Sends the rest of a message to whom its first frame names.
    fn send_to_addressee(&self, last: &mut Option<Arc<Link>>, parcel: &Parcel<'_>) -> Verdict {
        if let Some((id, message)) = parcel.split_first() {
            let same = last.take().filter(|link| link.routing_id.as_bytes() == id);
            let anew = once_with(|| self.to.peer_named(id)).flatten();
            for link in same.into_iter().chain(anew) {
                match message.publish(&[], &link.outbound) {
                    Ok(()) => {
                        *last = Some(link);
                        return Verdict::Sent;
                    }
                    Err(Refused::Full) if self.to.options.router_mandatory => {
                        return Verdict::Full(link);
                    }
                    Err(Refused::Full) => {
                        self.to.dropped(&link, DropReason::Full);
                        return Verdict::Dropped;
                    }
                    // It is gone; another connection may have its name.
                    Err(Refused::Closed) => {}
                }
            }
        }
        self.to.counters.dropped(DropReason::Unroutable, 1);
        Verdict::Dropped
    }
}

impl Tally {
    fn count(&mut self, verdict: &Verdict, envelope: &[Frame], parcel: &Parcel<'_>) {
        let (frames, bytes) = parcel.measure();
        let id: usize = envelope.iter().map(Frame::len).sum();
        let volume = Volume {
            messages: 1,
            frames: frames + envelope.len() as u64,
            bytes: bytes + id as u64,
        };
        self.received += volume;
        match verdict {
            Verdict::Sent => self.sent += volume,
            _ => self.dropped += 1,
        }
    }
}

impl Gate {
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn open(&self) {
        self.closed.store(false, Ordering::Release);
        self.opened.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

/// A peer that is not read because its message is for one that has no room.
struct Held {
    by: Arc<Core>,
    link: Arc<Link>,
}

impl Held {
    /// Holds it until there is room, or nobody to have any.
    async fn until_room(self, addressee: Arc<Link>) {
        // Gone or not: the next try tells.
        let _gone = wait_for_room(&addressee).await;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.by.inbox.resume(&self.link);
    }
}
