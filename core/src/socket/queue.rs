//! The one queue of a socket with a single peer: what is sent goes there, whichever way the peer comes.
//!
//! It is there while a peer has it, or an endpoint is connected that takes messages early. So what was sent before there
//! was a peer, or is left over from one that is lost, goes to the next. Over inproc the queue is given away with what is
//! in it: it leads straight into the other socket.

use std::sync::Arc;

use super::core::Core;
use super::endpoints::Connected;
use super::outbound::Outbound;
use crate::endpoint::Endpoint;
use crate::monitor::DropReason;
use crate::peer::Link;
use crate::pipe::Pipe;

impl Core {
    /// Makes or discards the queue after an endpoint or a peer came or went.
    pub(crate) fn settle_queue(&self, gone: Option<&Arc<Link>>) {
        if !self.traits.single_peer {
            return;
        }
        let mut peers = self.peers.lock();
        if !peers.is_vacant() {
            return;
        }
        let (early, closed) = {
            let endpoints = self.endpoints.lock();
            (endpoints.queue_early(), endpoints.closed)
        };
        if early {
            self.queue(&mut peers.queue);
        } else if let Some(queue) = peers.queue.take_if(|_| !closed) {
            drop(peers);
            self.outbox.remove(&queue);
            queue.finish();
            let lost = (queue.counts().queued, DropReason::ConnectionLost);
            self.retire(&queue, lost, gone);
        }
    }

    /// The queue, made if there is none.
    pub(crate) fn queue(&self, queue: &mut Option<Arc<Pipe>>) -> Arc<Pipe> {
        let queue = queue.get_or_insert_with(|| {
            let pipe = self.new_pipe(self.live().send);
            pipe.set_writer(self.outbox.bell.waker());
            self.outbox.add(Arc::clone(&pipe));
            pipe
        });
        Arc::clone(queue)
    }

    /// The queue is somebody else's from now on.
    pub(crate) fn give_queue_away(&self) -> Option<Arc<Pipe>> {
        let queue = self.peers.lock().queue.take()?;
        self.outbox.remove(&queue);
        Some(queue)
    }

    /// The queue, if an endpoint that is being disconnected takes it along: because its connection has it, or nobody
    /// else will.
    pub(crate) fn leave_with_queue(
        &self,
        endpoint: &Endpoint,
        disconnected: &[Connected],
    ) -> Option<Arc<Pipe>> {
        let mut peers = self.peers.lock();
        let queue = peers.queue.clone()?;
        let leaves = if peers.is_vacant() {
            !self.endpoints.lock().queue_early()
        } else {
            let has_it = |link: &Arc<Link>| Arc::ptr_eq(&link.outbound, &queue);
            let mut links = peers.by_id.values();
            links.any(|link| has_it(link) && link.is_to(endpoint))
        };
        if !leaves {
            return None;
        }
        self.outbox.remove(&queue);
        peers.queue = None;
        let mut endpoints = self.endpoints.lock();
        endpoints.leaving.push(Arc::clone(&queue));
        if let Some(one) = disconnected.first() {
            one.outbound.set(Outbound::Endpoint(Arc::clone(&queue)));
        }
        Some(queue)
    }
}
