//! [`Leftovers`]: what lost connections left to be received, and how much that may be.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::peer::Link;
use crate::pipe::Limits;
use crate::sync::Mutex;

/// Lost connections of which something is left, at most.
pub(crate) const CONNECTIONS_MAX: usize = 1024;
/// Messages that lost connections left, and their bytes: as much as this many full pipes hold, at most, and one read buffer
/// for each.
const PIPES_MAX: usize = 10;
/// The least that counts as a full pipe, in messages.
const PIPE_LEAST: usize = 1000;
/// The least that counts as a full pipe, in bytes: a budget of one message does not make a few replies too much.
const PIPE_LEAST_BYTES: usize = 64 * 1024;

/// What lost connections left to be received, over a network.
///
/// Each has at most what its marks allow and one read buffer; but a peer that comes again and again, and is not received
/// from, could leave so much each time. When there is too much, no further connection is made: nothing is lost, since who
/// has not shaken hands has not sent anything.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    links: Mutex<Vec<Arc<Link>>>,
    received: Notify,
}

impl Leftovers {
    pub(crate) fn add(&self, link: Arc<Link>) {
        let mut links = self.links.lock();
        // From time to time is enough.
        if links.len() == links.capacity() {
            links.retain(|link| !link.inbound.is_drained());
        }
        links.push(link);
    }

    /// Everything of a lost connection is received.
    pub(crate) fn received(&self) {
        self.received.notify_waiters();
    }

    /// Whether there is too much for a socket that has these limits.
    pub(crate) fn are_too_many(&self, limits: Limits) -> bool {
        let mut links = self.links.lock();
        links.retain(|link| !link.inbound.is_drained());
        let counts = || links.iter().map(|link| link.inbound.counts());
        let messages: usize = counts().map(|counts| counts.queued).sum();
        let bytes: usize = counts().map(|counts| counts.queued_bytes).sum();
        let most_messages = limits.messages.map(|hwm| hwm.get().max(PIPE_LEAST));
        let most_bytes = limits
            .bytes
            .map(|budget| budget.get().max(PIPE_LEAST_BYTES));
        let reached = |held: usize, a_pipe: Option<usize>| {
            a_pipe.is_some_and(|most| held >= most.saturating_mul(PIPES_MAX))
        };
        links.len() >= CONNECTIONS_MAX
            || reached(messages, most_messages)
            || reached(bytes, most_bytes)
    }

    /// Waits until it is not too much any more.
    pub(crate) async fn within(&self, limits: Limits) {
        loop {
            let mut received = std::pin::pin!(self.received.notified());
            received.as_mut().enable();
            if !self.are_too_many(limits) {
                return;
            }
            received.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::socket::core::Core;
    use crate::socket_type::SocketType;
    use crate::{Context, Endpoint, SocketEvent, SocketOptions};

    /// More connections than anybody is told of.
    const LOST: usize = 1100;

    /// How many peers wait to be looked at with two sockets whose connection came and went often.
    async fn arrived(binder: SocketType, connector: SocketType) -> (usize, usize) {
        let context = Context::new();
        let options = || SocketOptions::new().context(&context);
        let endpoint: Endpoint = "memory://flapping".parse().unwrap();
        let binder = Core::new(binder, options()).unwrap();
        binder.bind(endpoint.clone()).await.unwrap();
        let connector = Core::new(connector, options()).unwrap();
        let mut monitor = connector.events.subscribe();
        connector.connect(endpoint, None).unwrap();
        for _ in 0..LOST {
            loop {
                let event = monitor.next().await.unwrap().unwrap();
                if let SocketEvent::Connected { .. } = event {
                    break;
                }
            }
            context.network().cut();
        }
        (binder.inbox.arrived(), connector.inbox.arrived())
    }

    /// Connections that come and go without a word leave nothing with a socket that nobody receives from; one that tells
    /// of peers remembers as many as its owner may still want to hear of.
    #[tokio::test(start_paused = true)]
    async fn connections_that_come_and_go_leave_nothing() {
        assert_eq!(arrived(SocketType::Pull, SocketType::Push).await, (0, 0));
        assert_eq!(arrived(SocketType::Pair, SocketType::Pair).await, (0, 0));
        let (router, req) = arrived(SocketType::Router, SocketType::Req).await;
        assert!((1000..LOST).contains(&router), "{router}");
        assert_eq!(req, 0);
        let (_, dealer) = arrived(SocketType::Router, SocketType::Dealer).await;
        assert!((1000..LOST).contains(&dealer), "{dealer}");
    }
}
