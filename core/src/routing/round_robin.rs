//! [`RoundRobin`]: outgoing messages to the next peer that has room.

use std::sync::Arc;

use super::Coop;
use crate::message::Message;
use crate::peer::Bell;
use crate::pipe::{Pipe, Refused};
use crate::sync::Mutex;

/// Outgoing messages, each to the next peer that has room.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    turns: Mutex<Turns>,
    /// Rings when a pipe has room or appeared.
    pub(crate) bell: Arc<Bell>,
    coop: Coop,
}

#[derive(Debug, Default)]
struct Turns {
    pipes: Vec<Arc<Pipe>>,
    next: usize,
    closed: bool,
}

impl RoundRobin {
    /// Puts the message into the next pipe with room. A full pipe loses its turn, not its place.
    #[inline]
    pub(crate) fn try_send(&self, message: &Message) -> Result<(), Refused> {
        self.try_put(|pipe| pipe.publish(&[], message))
    }

    /// Lets `put` do it, with the next pipe until one has room.
    #[inline]
    pub(crate) fn try_put(
        &self,
        put: impl Fn(&Pipe) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let mut turns = self.turns.lock();
        if turns.closed {
            return Err(Refused::Closed);
        }
        let count = turns.pipes.len();
        for turn in 0..count {
            let index = (turns.next + turn) % count;
            let Some(pipe) = turns.pipes.get(index) else {
                break;
            };
            if put(pipe).is_ok() {
                turns.next = index + 1;
                return Ok(());
            }
        }
        Err(Refused::Full)
    }

    /// Lets other tasks run from time to time: the first step of each send.
    #[inline]
    pub(crate) async fn proceed(&self) {
        self.coop.proceed().await;
    }

    /// As [`try_send`](Self::try_send), waiting while the socket is mute; gives back what was refused.
    ///
    /// Cancel safe: dropped before it is ready, it has sent nothing.
    pub(crate) async fn wait_and_send(&self, message: Message) -> Result<(), (Refused, Message)> {
        loop {
            let mut room = std::pin::pin!(self.bell.0.notified());
            room.as_mut().enable();
            match self.try_send(&message) {
                Err(Refused::Full) => room.await,
                done => {
                    // There may be room for those who wait beside this one.
                    self.bell.0.notify_one();
                    return done.map_err(|refused| (refused, message));
                }
            }
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.turns.lock().closed
    }

    pub(crate) fn add(&self, pipe: Arc<Pipe>) {
        self.turns.lock().pipes.push(pipe);
        self.bell.0.notify_one();
    }

    pub(crate) fn remove(&self, pipe: &Arc<Pipe>) {
        let mut turns = self.turns.lock();
        turns.pipes.retain(|other| !Arc::ptr_eq(other, pipe));
        if turns.next >= turns.pipes.len() {
            turns.next = 0;
        }
    }

    /// Nothing is sent after this; everybody who waits is woken.
    pub(crate) fn close(&self) {
        self.turns.lock().closed = true;
        self.bell.0.notify_waiters();
    }
}
