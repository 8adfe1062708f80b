//! What can be changed while a socket works: high-water marks and the linger time.

use std::num::NonZeroUsize;
use std::sync::Arc;

use super::core::Core;
use crate::io::inproc;
use crate::options::{Linger, SocketOptions};
use crate::pipe::Limits;

/// The options that can be changed, as they are now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Live {
    pub(crate) send: Limits,
    pub(crate) recv: Limits,
    pub(crate) linger: Linger,
}

impl Live {
    pub(crate) const fn new(options: &SocketOptions) -> Self {
        Self {
            send: options.send,
            recv: options.recv,
            linger: options.linger,
        }
    }
}

impl Core {
    pub(crate) fn live(&self) -> Live {
        *self.live.lock()
    }

    pub(crate) fn set_linger(&self, linger: Linger) {
        self.live.lock().linger = linger;
    }

    pub(crate) fn set_send_hwm(&self, messages: Option<NonZeroUsize>) {
        self.live.lock().send.messages = messages;
        self.apply_send_limits();
    }

    pub(crate) fn set_recv_hwm(&self, messages: Option<NonZeroUsize>) {
        self.live.lock().recv.messages = messages;
        let limits = self.live().recv;
        for link in self.links() {
            if link.is_inproc() {
                inproc::agree(self, &link);
            } else {
                link.set_recv_limits(limits);
            }
        }
    }

    /// Pipes that are made from now on have the new limits; those that were made meanwhile get them here, or where they
    /// become known.
    pub(crate) fn apply_send_limits(&self) {
        let limits = self.live().send;
        for pipe in self.pipes_at_risk() {
            pipe.set_limits(limits);
        }
        for link in self.links().iter().filter(|link| link.is_inproc()) {
            inproc::agree(self, link);
        }
    }

    fn links(&self) -> Vec<Arc<crate::peer::Link>> {
        self.peers.lock().by_id.values().cloned().collect()
    }
}

/// What the types can do that send and may be mute.
macro_rules! live_send_hwm {
    ($name:ident) => {
        impl $name {
            /// Changes [`send_hwm`](crate::SocketOptions::send_hwm), for the pipes that there are, too.
            ///
            /// A lower mark drops nothing: what is queued goes out, and there is room again at half of the new mark.
            /// Over inproc the mark of the other socket is added, as ever.
            pub fn set_send_hwm(&self, messages: Option<std::num::NonZeroUsize>) {
                self.core.set_send_hwm(messages);
            }
        }
    };
}

/// What the types can do that receive.
macro_rules! live_recv_hwm {
    ($name:ident) => {
        impl $name {
            /// Changes [`recv_hwm`](crate::SocketOptions::recv_hwm), for the pipes that there are, too.
            ///
            /// A lower mark drops nothing: what has arrived can be received. Over inproc the mark of the other socket is
            /// added, as ever.
            pub fn set_recv_hwm(&self, messages: Option<std::num::NonZeroUsize>) {
                self.core.set_recv_hwm(messages);
            }
        }
    };
}

pub(crate) use {live_recv_hwm, live_send_hwm};
