#![doc = include_str!("../README.md")]

mod fixed;
mod service;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

pub use fixed::Fixed;
pub use service::ServiceInstance;

/// Finds the instances of a service.
///
/// Each way to find them implements it, whether it asks the network or reads a list, so a program chooses among them
/// by configuration: take a `&dyn Discovery`.
pub trait Discovery: Send + Sync {
    /// Who offers this service: first all that are known, then whoever comes and goes.
    ///
    /// It returns at once, and never fails: a network that cannot be asked now is asked again later. Any number may
    /// browse at a time.
    fn browse(&self, service: &str) -> Browse;
}

/// That an instance of a service came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The instance is there. If it was there before, this is what is now known about it.
    Up(ServiceInstance),
    /// The instance is gone; this is what was known about it.
    Down(ServiceInstance),
}

/// The events of one service, in order: for each instance up, perhaps up again with other facts, then down.
///
/// It is a [`Stream`], for those who join streams. It ends when its source can tell nothing any more; dropping it ends
/// the search.
pub struct Browse(Pin<Box<dyn Stream<Item = Event> + Send>>);

impl Browse {
    /// The events of a stream, for those who implement [`Discovery`].
    pub fn new(events: impl Stream<Item = Event> + Send + 'static) -> Self {
        Self(Box::pin(events))
    }

    /// The next event; none when there will be no more.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, it has taken no event.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.0.as_mut().poll_next(cx)).await
    }
}

impl Stream for Browse {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.as_mut().poll_next(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl fmt::Debug for Browse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browse").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Gives its events, then ends.
    struct Told(VecDeque<Event>);

    impl Stream for Told {
        type Item = Event;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Event>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    #[tokio::test]
    async fn a_browse_gives_the_events_in_order_and_ends_with_their_source() {
        let echo = ServiceInstance::new("echo", "one");
        let events = [Event::Up(echo.clone()), Event::Down(echo)];
        let mut browse = Browse::new(Told(events.clone().into()));
        for event in events {
            assert_eq!(browse.next().await, Some(event));
        }
        assert_eq!(browse.next().await, None);
    }
}
