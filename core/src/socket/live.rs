//! [`Live`]: the options that can be changed while a socket works.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::core::Core;
use crate::io::inproc::agree;
use crate::options::{Linger, SocketOptions};
use crate::peer::Link;
use crate::pipe::Limits;
use crate::routing::Traits;
use crate::sync::Mutex;

/// The options that can be changed while a socket works, as they are now.
#[derive(Debug)]
pub(crate) struct Live(Mutex<Values>);

#[derive(Clone, Copy, Debug)]
struct Values {
    send: Limits,
    recv: Limits,
    linger: Linger,
}

impl Live {
    pub(crate) const fn new(options: &SocketOptions, traits: Traits) -> Self {
        let linger = if traits.subscribes && !options.has_linger {
            Linger::Discard
        } else {
            options.linger
        };
        Self(Mutex::new(Values {
            send: options.send,
            recv: options.recv,
            linger,
        }))
    }

    /// What may wait to be sent to one peer.
    pub(crate) fn send(&self) -> Limits {
        self.0.lock().send
    }

    /// What may wait to be received from one peer.
    pub(crate) fn recv(&self) -> Limits {
        self.0.lock().recv
    }

    pub(crate) fn linger(&self) -> Linger {
        self.0.lock().linger
    }

    pub(crate) fn set_linger(&self, linger: Linger) {
        self.0.lock().linger = linger;
    }
}

impl Core {
    /// Changes the mark of all pipes to peers, and of those to come.
    pub(crate) fn set_send_hwm(&self, messages: Option<NonZeroUsize>) {
        self.live.0.lock().send.messages = messages;
        let limits = self.live.send();
        for pipe in self.early_pipes() {
            pipe.set_limits(limits);
        }
        for link in self.links() {
            if link.is_inproc() {
                agree(self, &link);
            } else {
                link.outbound.set_limits(limits);
            }
        }
    }

    /// Changes the mark of all pipes from peers, and of those to come.
    pub(crate) fn set_recv_hwm(&self, messages: Option<NonZeroUsize>) {
        self.live.0.lock().recv.messages = messages;
        let limits = self.live.recv();
        for link in self.links() {
            if link.is_inproc() {
                agree(self, &link);
            } else {
                link.set_recv_limits(limits);
            }
        }
    }

    /// All connections, in the order in which they were made.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        let mut links: Vec<_> = self.peers.lock().by_id.values().cloned().collect();
        links.sort_unstable_by_key(|link| link.id);
        links
    }
}
