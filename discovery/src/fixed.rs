//! [`Fixed`]: a list that was given, for networks without discovery and for tests.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::{Browse, Discovery, Event, ServiceInstance};

/// A list of instances that never changes: all are up, and none goes down.
///
/// # Example
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use privateer_discovery::{Discovery, Event, Fixed, ServiceInstance};
///
/// let fixed = Fixed::new([
///     ServiceInstance::new("echo", "one").endpoint("tcp://10.0.0.1:5555"),
///     ServiceInstance::new("calc", "two").endpoint("tcp://10.0.0.2:5555"),
/// ]);
/// let found = fixed.browse("calc").next().await;
/// assert!(matches!(found, Some(Event::Up(calc)) if calc.name() == "two"));
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Fixed(Vec<ServiceInstance>);

impl Fixed {
    /// These instances, which come up in this order. One with the service and name of another takes its place.
    #[must_use]
    pub fn new(instances: impl IntoIterator<Item = ServiceInstance>) -> Self {
        let mut list: Vec<ServiceInstance> = Vec::new();
        for instance in instances {
            let same = |other: &&mut ServiceInstance| {
                other.service() == instance.service() && other.name() == instance.name()
            };
            match list.iter_mut().find(same) {
                Some(other) => *other = instance,
                None => list.push(instance),
            }
        }
        Self(list)
    }
}

impl Discovery for Fixed {
    fn browse(&self, service: &str) -> Browse {
        let offers = |instance: &&ServiceInstance| instance.service() == service;
        Browse::new(Listed(self.0.iter().filter(offers).cloned().collect()))
    }
}

/// Tells the instances of a list; then there is no news, for ever.
struct Listed(VecDeque<ServiceInstance>);

impl Stream for Listed {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Event>> {
        match self.0.pop_front() {
            Some(instance) => Poll::Ready(Some(Event::Up(instance))),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(service: &str, name: &str, endpoint: &str) -> ServiceInstance {
        ServiceInstance::new(service, name).endpoint(endpoint)
    }

    /// The events that are there now; none after them, but no end either.
    async fn events_now(mut browse: Browse) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            tokio::select! {
                biased;
                event = browse.next() => events.push(event.expect("a fixed list has no end")),
                () = std::future::ready(()) => return events,
            }
        }
    }

    #[tokio::test]
    async fn the_instances_of_the_service_are_up_in_their_order() {
        let echoes = [
            instance("echo", "b", "tcp://b:1"),
            instance("echo", "a", "tcp://a:1"),
        ];
        let [first, second] = echoes.clone();
        let fixed = Fixed::new([first, instance("calc", "a", "tcp://c:1"), second]);
        assert_eq!(
            events_now(fixed.browse("echo")).await,
            echoes.map(Event::Up)
        );
    }

    #[tokio::test]
    async fn an_unknown_service_has_no_news_and_no_end() {
        let fixed = Fixed::new([instance("echo", "a", "tcp://a:1")]);
        assert_eq!(events_now(fixed.browse("ech")).await, []);
        assert_eq!(events_now(Fixed::default().browse("")).await, []);
    }

    #[tokio::test]
    async fn an_instance_takes_the_place_of_its_namesake() {
        let [old, new] = ["tcp://old:1", "tcp://new:1"].map(|e| instance("echo", "a", e));
        let other = instance("echo", "b", "tcp://b:1");
        let fixed = Fixed::new([old, other.clone(), new.clone()]);
        assert_eq!(
            events_now(fixed.browse("echo")).await,
            [Event::Up(new), Event::Up(other)]
        );
    }

    #[tokio::test]
    async fn each_browse_is_told_everything() {
        let fixed: Box<dyn Discovery> = Box::new(Fixed::new([instance("echo", "a", "tcp://a:1")]));
        let (first, second) = (fixed.browse("echo"), fixed.browse("echo"));
        assert_eq!(events_now(first).await, events_now(second).await);
    }
}
