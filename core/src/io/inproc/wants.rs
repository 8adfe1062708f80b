//! What the socket on one side wants of the other: subscriptions, without commands.

use std::sync::Arc;

use crate::monitor::DisconnectReason;
use crate::peer::Link;
use crate::routing::fan_out::Ask;
use crate::socket::core::Core;

/// Tells a new peer what this socket wants, if it is one that subscribes.
pub(super) fn subscribe(core: &Core, link: &Arc<Link>) {
    if link.publisher.is_none() {
        return;
    }
    core.subscriber.add(link);
    if !core.peers.lock().by_id.contains_key(&link.id) {
        // It has ended meanwhile.
        core.subscriber.remove(link);
    }
}

/// Tells the other side that this one is about to go, and ends all that it has subscribed to there, before the pipe is
/// finished in which the other's owner receives that.
pub(crate) fn withdraw(link: &Link) {
    if let Some((core, theirs)) = link.partner() {
        if core.traits.publishes {
            core.forget_subscriptions(&theirs);
        }
        core.tell_departure(&theirs, DisconnectReason::ClosedByPeer);
    }
}

/// Tells the other side of a connection what this one wants; an XPUB's owner receives it as from any peer.
pub(crate) fn ask(link: &Link, ask: Ask, topic: &[u8]) {
    let Some((core, theirs)) = link.partner.get() else {
        return;
    };
    let (Some(core), Some(theirs)) = (core.upgrade(), theirs.upgrade()) else {
        return;
    };
    // A socket of this process has no limits that it could pass.
    if let Ok(Some(event)) = core.asked(&theirs, ask, topic) {
        theirs.inbound.publish_anyway(&event);
    }
}
