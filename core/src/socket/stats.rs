//! What a socket has counted, which pipes count, and what it drops.

use std::sync::Arc;

use super::core::Core;
use super::counters::SocketStats;
use crate::monitor::{DisconnectReason, DropReason, SocketEvent};
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
            stats.conflated += counts.conflated;
        }
        let mut queued: usize = self.pipes_at_risk().iter().map(|p| p.counts().queued).sum();
        for link in self.links() {
            let counts = link.inbound.counts();
            stats.peers += 1;
            stats.received += counts.sent;
            stats.received_bytes += counts.sent_bytes;
            stats.conflated += counts.conflated;
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

    /// How many messages of a connection that has ended nobody will get, and why.
    pub(super) fn lost_with(&self, link: &Link, ended: DisconnectReason) -> (usize, DropReason) {
        if link.is_inproc() {
            // The other socket can still receive them, unless it is the one that closes.
            let lost = link.partner_is_closed().then(|| link.queued());
            return (lost.unwrap_or(0), DropReason::ConnectionLost);
        }
        let reason = match ended {
            DisconnectReason::ClosedHere => DropReason::LingerOver,
            _ => DropReason::ConnectionLost,
        };
        (link.queued(), reason)
    }

    /// Keeps what a pipe has counted that is not used any more, and drops what is in it as far as it is lost.
    pub(crate) fn retire(
        &self,
        pipe: &Pipe,
        (lost, reason): (usize, DropReason),
        peer: Option<&Arc<Link>>,
    ) {
        let counts = pipe.counts();
        self.counters.past_sent.add(counts.sent);
        self.counters.past_sent_bytes.add(counts.sent_bytes);
        self.counters.past_conflated.add(counts.conflated);
        self.drop_messages(peer, reason, lost as u64);
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
