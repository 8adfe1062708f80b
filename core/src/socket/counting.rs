//! Where each message is that a socket was given, or why it is not there any more.

use std::sync::Arc;

use super::core::Core;
use super::counters::SocketStats;
use crate::monitor::{DisconnectReason, DropReason, SocketEvent};
use crate::peer::{Link, Peer};
use crate::pipe::Pipe;

impl Core {
    pub(crate) fn stats(&self) -> SocketStats {
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

    fn pipes_of(&self, chosen: impl Fn(&Link) -> bool) -> Vec<Arc<Pipe>> {
        let mut pipes = self.endpoints.lock().pipes();
        let peers = self.peers.lock();
        pipes.extend(peers.queue.clone());
        let links = peers.by_id.values().filter(|link| chosen(link));
        pipes.extend(links.map(|link| Arc::clone(&link.outbound)));
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
        if messages > 0 {
            self.counters.dropped(reason, messages);
            self.events.emit(SocketEvent::Dropped {
                peer: peer.map(|link| Peer(Arc::clone(link))),
                reason,
                messages,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::socket::core::Core;
    use crate::{
        Context, DealerSocket, PairSocket, PullSocket, PushSocket, ReqSocket, RouterSocket,
        SocketEvent, SocketOptions,
    };

    /// More connections than anybody is told of.
    const LOST: usize = 1100;

    /// Connections that come and go without a word leave nothing with a socket that nobody receives from; one that tells
    /// of peers remembers as many as its owner may still want to hear of.
    #[tokio::test(start_paused = true)]
    async fn connections_that_come_and_go_leave_nothing() {
        macro_rules! arrived {
            ($binder:ident, $connector:ident) => {{
                let context = Context::new();
                let options = || SocketOptions::new().context(&context);
                let binder = $binder::with_options(options()).unwrap();
                binder.bind("memory://flapping").await.unwrap();
                let connector = $connector::with_options(options()).unwrap();
                connector.connect("memory://flapping").unwrap();
                let mut monitor = connector.monitor();
                for _ in 0..LOST {
                    loop {
                        let event = monitor.next().await.unwrap().unwrap();
                        if let SocketEvent::Connected { .. } = event {
                            break;
                        }
                    }
                    context.network().cut();
                }
                let arrived = |core: &Core| core.inbox.arrived();
                (arrived(&binder.core()), arrived(&connector.core()))
            }};
        }
        assert_eq!(arrived!(PullSocket, PushSocket), (0, 0));
        assert_eq!(arrived!(PairSocket, PairSocket), (0, 0));
        let (router, req) = arrived!(RouterSocket, ReqSocket);
        assert!((1000..1100).contains(&router), "{router}");
        assert_eq!(req, 0);
        let (_, dealer) = arrived!(RouterSocket, DealerSocket);
        assert!((1000..1100).contains(&dealer), "{dealer}");
    }
}
