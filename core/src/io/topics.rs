//! [`Topics`]: what a session does for publish-subscribe: the peer's subscriptions in, the socket's own out; and what the
//! answers of a peer tell of it.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;

use crate::encoded::put_message;
use crate::peer::Link;
use crate::routing::fan_out::Ask;
use crate::socket::core::Core;
use crate::zmtp::command::{Command, MalformedCommand};
use crate::zmtp::traffic::PeerMisbehaved;

/// The part of publish-subscribe in one session; without effect for sockets of other types.
pub(crate) struct Topics {
    core: Arc<Core>,
    link: Arc<Link>,
    /// A question that this peer cannot answer; all that counts is that what was before it is written.
    unasked: Option<u64>,
}

impl Topics {
    pub(crate) const fn new(core: Arc<Core>, link: Arc<Link>) -> Self {
        Self {
            core,
            link,
            unasked: None,
        }
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.core.runtime
    }

    /// A frame that may be a subscription; gives what the owner is to receive in its place.
    pub(crate) fn heard_in_message(&self, body: &[u8]) -> Result<Option<Bytes>, PeerMisbehaved> {
        match Ask::read(body) {
            Some((ask, topic)) => self.asked(ask, topic),
            None => Ok(None),
        }
    }

    /// A command other than PING; gives what the owner is to receive in its place.
    pub(crate) fn heard(
        &self,
        command: Result<Command<'_>, MalformedCommand>,
    ) -> Result<Option<Bytes>, PeerMisbehaved> {
        match command {
            Ok(Command::Pong { context }) => self.answered(context),
            Ok(Command::Subscribe(topic)) if self.core.traits.publishes => {
                return self.asked(Ask::Subscribe, topic);
            }
            Ok(Command::Cancel(topic)) if self.core.traits.publishes => {
                return self.asked(Ask::Cancel, topic);
            }
            Err(fault) if fault.is_fatal() => return Err(PeerMisbehaved::ShortPing),
            // Only publishers have a use for subscriptions, and nothing else is sent after the handshake.
            Ok(_) | Err(_) => self.core.counters.commands_ignored.add(1),
        }
        Ok(None)
    }

    /// The peer has answered a heartbeat after this time.
    pub(crate) fn timed(&self, time: Duration) {
        self.link.set_round_trip(time);
        #[cfg(feature = "metrics")]
        if let Some(exporter) = &self.core.exporter {
            exporter.round_trip(time);
        }
    }

    fn asked(&self, ask: Ask, topic: &[u8]) -> Result<Option<Bytes>, PeerMisbehaved> {
        let event = self.core.asked(&self.link, ask, topic)?;
        Ok(event.map(|event| {
            let mut octets = BytesMut::new();
            put_message(&mut octets, &event);
            octets.freeze()
        }))
    }

    /// The answer to a question of ours, by its number; heartbeats have none.
    fn answered(&self, context: &[u8]) {
        if let Ok(number) = context.try_into() {
            let number = u64::from_be_bytes(number);
            self.core.subscriber.answered(&self.link, number);
        }
    }

    /// Puts what waits for all subscribers into their pipes; tells whether that was anything.
    pub(crate) fn flush(&self) -> bool {
        self.core.fan_out.flush(&self.core)
    }

    /// Moves what the socket has to tell this publisher behind `out`, of which nothing is lost until it is written.
    pub(crate) fn collect(&mut self, out: &mut BytesMut, waker: &Waker) {
        let Some(publisher) = &self.link.publisher else {
            return;
        };
        loop {
            if let Some(number) = self.unasked {
                if !out.is_empty() {
                    return;
                }
                self.core.subscriber.heard(&self.link, number);
            }
            let minor = self.link.facts.minor;
            self.unasked = publisher.outgoing.take(out, minor, waker);
            if self.unasked.is_none() {
                return;
            }
        }
    }
}
