//! Clients that send too much or read too little: messages that wait for room in a pipe. PURE.
//!
//! A message that a pipe has no room for is parked with its peer, and everything that is sent to this peer later is
//! parked behind it, so the order stays. Parked messages count against the peer's bound in bytes like its requests.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::collections::VecDeque;

use privateer_core::Message;

use super::peer::{Flow, Role};
use super::request::cost;
use super::{BrokerEvent, BrokerMachine, DropReason, Output, PeerKey};
use crate::majordomo::protocol::is_worker_command;

impl BrokerMachine {
    /// The message of an [`Output::Send`] comes back because the pipe of its peer is full.
    ///
    /// Call it before the next output is polled; then call [`handle_writable`](Self::handle_writable) once there is room.
    pub fn handle_full(&mut self, to: PeerKey, message: Message) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return self.handle_unroutable(to, &message);
        };
        if peer.flow == Flow::Open {
            self.mute += 1;
        }
        peer.flow = Flow::Full;
        self.stats.parked += 1;
        let pause = peer.charge(cost(&message), self.options.client_bytes);
        peer.parked.push_front(message.detach());
        if pause {
            self.outputs.push_back(Output::Pause(to));
        }
    }

    /// The pipe of a peer that was full has room again.
    pub fn handle_writable(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        if peer.flow == Flow::Full {
            peer.flow = Flow::Draining;
            self.draining.push_back(key);
        }
    }

    /// The message of an [`Output::Send`] could not be sent because its peer is gone.
    ///
    /// A reply is dropped and counted. A request needs no care: [`peer_down`](Self::peer_down) gives it to another
    /// worker.
    pub fn handle_unroutable(&mut self, to: PeerKey, message: &Message) {
        let role = self.peers.get(&to).map(|peer| peer.role);
        self.drop_unroutable(to, role.unwrap_or(Role::NoWorker), message);
    }

    pub(super) fn drop_unroutable(&mut self, to: PeerKey, role: Role, message: &Message) {
        if matches!(role, Role::Worker(_)) || is_worker_command(message) {
            return;
        }
        self.drop_reply(to, DropReason::ClientGone);
    }

    pub(super) fn drop_reply(&mut self, peer: PeerKey, reason: DropReason) {
        self.stats.drop_for(reason);
        self.tell(BrokerEvent::ReplyDropped { peer, reason });
    }

    /// The output, unless it has to wait behind parked messages of the same peer.
    pub(super) fn unless_mute(&mut self, output: Output) -> Option<Output> {
        let (Output::Send { to, .. } | Output::SendIfIdle { to, .. }) = &output else {
            return Some(output);
        };
        let to = *to;
        let peer = self
            .peers
            .get_mut(&to)
            .filter(|peer| peer.flow != Flow::Open);
        let Some(peer) = peer else {
            return Some(output);
        };
        // A heartbeat has nothing to say to a peer for which messages wait.
        if let Output::Send { message, .. } = output {
            self.stats.parked += 1;
            let pause = peer.charge(cost(&message), self.options.client_bytes);
            peer.parked.push_back(message.detach());
            return pause.then_some(Output::Pause(to));
        }
        None
    }

    /// The next parked message of a peer whose pipe has room.
    pub(super) fn next_parked(&mut self) -> Option<Output> {
        while let Some(&to) = self.draining.front() {
            let peer = self.peers.get_mut(&to);
            let Some(peer) = peer.filter(|peer| peer.flow == Flow::Draining) else {
                self.draining.pop_front();
                continue;
            };
            let message = peer.parked.pop_front();
            if peer.parked.is_empty() {
                peer.flow = Flow::Open;
                self.mute -= 1;
                self.draining.pop_front();
            }
            let Some(message) = message else {
                continue;
            };
            self.stats.parked -= 1;
            if peer.release(cost(&message), self.options.client_bytes) {
                self.outputs.push_back(Output::Resume(to));
            }
            return Some(Output::Send { to, message });
        }
        None
    }

    /// Drops parked commands to a peer that is a worker no more.
    pub(super) fn drop_parked_commands(&mut self, key: PeerKey) {
        let Some(peer) = self.peers.get_mut(&key) else {
            return;
        };
        let parked = std::mem::take(&mut peer.parked).into_iter();
        let (commands, replies): (VecDeque<_>, _) = parked.partition(is_worker_command);
        peer.parked = replies;
        self.stats.parked -= commands.len();
        if peer.release(commands.iter().map(cost).sum(), self.options.client_bytes) {
            self.outputs.push_back(Output::Resume(key));
        }
    }
}
