//! What a socket has counted, which pipes count, and what it drops.

use std::sync::Arc;

use super::core::Core;
use super::counters::SocketStats;
use crate::monitor::{DropReason, SocketEvent};
use crate::peer::{Link, Peer};
use crate::pipe::Pipe;

impl Core {
    pub(crate) fn stats(&self) -> SocketStats {
        self.fan_out.flush(self);
        let mut stats = self.counters.stats();
        let outbound = self.pipes_of(|link| link.outbound_is_own);
        for counts in outbound.iter().map(|pipe| pipe.counts()) {
            stats.sent += counts.sent;
            stats.sent_bytes += counts.sent_bytes;
        }
        let mut queued: usize = self.pipes_at_risk().iter().map(|p| p.counts().queued).sum();
        let links: Vec<_> = self.peers.lock().by_id.values().cloned().collect();
        for link in links {
            let counts = link.inbound.counts();
            stats.peers += 1;
            stats.received += counts.sent;
            stats.received_bytes += counts.sent_bytes;
            if link.is_inproc() {
                queued += link.queued();
            }
        }
        stats.queued = queued as u64;
        stats
    }

    /// All pipes that lose what is in them if the socket ends now: what another socket of the process has, it can still
    /// receive.
    pub(crate) fn pipes_at_risk(&self) -> Vec<Arc<Pipe>> {
        self.pipes_of(|link| link.outbound_is_own && !link.is_inproc())
    }

    /// The pipes of endpoints and of the socket, which take messages before there is a peer.
    pub(crate) fn early_pipes(&self) -> Vec<Arc<Pipe>> {
        let mut pipes = self.endpoints.lock().pipes();
        pipes.extend(self.peers.lock().queue.clone());
        pipes
    }

    /// Counts a message that is dropped, and tells monitors.
    pub(crate) fn dropped(&self, link: &Arc<Link>, reason: DropReason) {
        self.drop_messages(Some(link), reason, 1);
    }

    /// Counts messages that are dropped, and tells monitors.
    pub(crate) fn drop_messages(
        &self,
        peer: Option<&Arc<Link>>,
        reason: DropReason,
        messages: u64,
    ) {
        self.counters.dropped(reason, messages);
        self.tell_dropped(peer, reason, messages);
    }

    /// Tells monitors of messages that are dropped and counted.
    pub(crate) fn tell_dropped(&self, peer: Option<&Arc<Link>>, reason: DropReason, messages: u64) {
        if messages > 0 {
            self.events.emit(SocketEvent::Dropped {
                peer: peer.map(|link| Peer(Arc::clone(link))),
                reason,
                messages,
            });
        }
    }

    fn pipes_of(&self, chosen: impl Fn(&Link) -> bool) -> Vec<Arc<Pipe>> {
        self.fan_out.flush(self);
        let mut pipes = self.early_pipes();
        let peers = self.peers.lock();
        let links = peers.by_id.values().filter(|link| chosen(link));
        pipes.extend(links.map(|link| Arc::clone(&link.outbound)));
        pipes
    }
}

#[cfg(feature = "metrics")]
impl Drop for Core {
    fn drop(&mut self) {
        if let Some(exporter) = &self.exporter {
            exporter.end(&self.stats());
        }
    }
}
