//! [`RoundRobin`]: outgoing messages to the next peer that has room.

use std::sync::{Arc, Weak};

use super::Coop;
use crate::message::Message;
use crate::peer::{Bell, Link};
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
    places: Vec<Place>,
    next: usize,
    closed: bool,
}

#[derive(Debug)]
struct Place {
    pipe: Arc<Pipe>,
    /// The connection whose session empties it, if there is one.
    link: Weak<Link>,
}

impl Turns {
    fn position(&self, pipe: &Arc<Pipe>) -> Option<usize> {
        let mut places = self.places.iter();
        places.position(|place| Arc::ptr_eq(&place.pipe, pipe))
    }
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
        let count = turns.places.len();
        for turn in 0..count {
            let index = (turns.next + turn) % count;
            let Some(place) = turns.places.get(index) else {
                break;
            };
            if put(&place.pipe).is_ok() {
                turns.next = (index + 1) % count;
                return Ok(());
            }
        }
        Err(Refused::Full)
    }

    /// Lets other tasks run from time to time: the first step of each send, also of sockets that address their peers, which
    /// have no turns.
    #[inline]
    pub(crate) async fn proceed(&self) {
        self.coop.proceed().await;
    }

    /// As [`try_send`](Self::try_send), waiting while the socket is mute; gives back what was refused.
    ///
    /// Cancel safe: dropped before it is ready, it has sent nothing.
    pub(crate) async fn wait_and_send(&self, message: Message) -> Result<(), (Refused, Message)> {
        loop {
            self.work_next();
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

    /// Waits until a message would be taken.
    ///
    /// Cancel safe: dropped before it is ready, it passes the wake on.
    pub(crate) async fn ready(&self) {
        self.coop.proceed().await;
        loop {
            if !self.has_room() {
                self.work_next();
            }
            let mut room = std::pin::pin!(self.bell.0.notified());
            room.as_mut().enable();
            if self.has_room() {
                // Those who wait beside this one may want it.
                self.bell.0.notify_one();
                return;
            }
            room.await;
        }
    }

    /// Tells which connection's session empties a pipe from now on.
    pub(crate) fn set_session(&self, pipe: &Arc<Pipe>, link: &Arc<Link>) {
        let mut turns = self.turns.lock();
        if let Some(index) = turns.position(pipe)
            && let Some(place) = turns.places.get_mut(index)
        {
            place.link = Arc::downgrade(link);
        }
    }

    /// Lets the session of the pipe whose turn it is do what it can.
    fn work_next(&self) {
        let next = {
            let turns = self.turns.lock();
            let place = turns.places.get(turns.next).filter(|_| !turns.closed);
            place.and_then(|place| place.link.upgrade())
        };
        if let Some(link) = next {
            link.work_now();
        }
    }

    fn has_room(&self) -> bool {
        let turns = self.turns.lock();
        turns.closed
            || turns
                .places
                .iter()
                .any(|place| place.pipe.has_room().is_ok())
    }

    pub(crate) fn add(&self, pipe: Arc<Pipe>) {
        let link = Weak::new();
        self.turns.lock().places.push(Place { pipe, link });
        self.bell.0.notify_one();
    }

    pub(crate) fn remove(&self, pipe: &Arc<Pipe>) {
        let mut turns = self.turns.lock();
        let Some(index) = turns.position(pipe) else {
            return;
        };
        turns.places.remove(index);
        // Whoever's turn it is keeps it.
        if index < turns.next {
            turns.next -= 1;
        } else if turns.next == turns.places.len() {
            turns.next = 0;
        }
    }

    /// Nothing is sent after this; everybody who waits is woken.
    pub(crate) fn close(&self) {
        self.turns.lock().closed = true;
        self.bell.0.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipe::Limits;

    /// Pipes that take all that they are given, in the order of their turns.
    fn pipes<const N: usize>(turns: &RoundRobin) -> [Arc<Pipe>; N] {
        let limits = Limits {
            messages: None,
            bytes: None,
        };
        [(); N].map(|()| {
            let pipe = Arc::new(Pipe::new(limits, Arc::default()));
            turns.add(Arc::clone(&pipe));
            pipe
        })
    }

    /// How many each pipe got of `count` messages, since it was last asked.
    fn shares<const N: usize>(
        turns: &RoundRobin,
        pipes: [&Arc<Pipe>; N],
        count: usize,
    ) -> [u64; N] {
        let before = pipes.map(|pipe| pipe.counts().sent);
        for _ in 0..count {
            turns.try_send(&Message::from("work")).unwrap();
        }
        std::array::from_fn(|i| pipes[i].counts().sent - before[i])
    }

    /// K04: whoever's turn it is when another one goes gets the next message.
    #[test]
    fn nobody_is_skipped_when_another_goes() {
        for served in 0..3 {
            for gone in 0..3 {
                let turns = RoundRobin::default();
                let all = pipes::<3>(&turns);
                shares(&turns, all.each_ref(), served);
                turns.remove(&all[gone]);
                let next = (served..3).chain(0..served).find(|i| *i != gone).unwrap();
                assert_eq!(shares(&turns, [&all[next]], 1), [1], "{served} {gone}");
                let rest = (0..3).rfind(|i| *i != gone && *i != next).unwrap();
                assert_eq!(shares(&turns, [&all[rest]], 1), [1], "{served} {gone}");
            }
        }
    }

    /// K04: one that comes is the last in turn.
    #[test]
    fn a_newcomer_does_not_go_first() {
        let turns = RoundRobin::default();
        let [first, second] = pipes(&turns);
        shares(&turns, [&first, &second], 2);
        let [third] = pipes(&turns);
        assert_eq!(shares(&turns, [&first, &second, &third], 1), [1, 0, 0]);
        assert_eq!(shares(&turns, [&first, &second, &third], 2), [0, 1, 1]);
        turns.remove(&third);
        turns.remove(&first);
        assert_eq!(shares(&turns, [&second], 2), [2]);
        turns.remove(&second);
        let nobody = turns.try_send(&Message::from("work"));
        assert_eq!(nobody, Err(Refused::Full));
    }
}
