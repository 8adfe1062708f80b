//! The first and the last message of a connection, which no owner of a socket has sent.

use std::sync::atomic::Ordering;

use super::core::Core;
use crate::frame::Frame;
use crate::message::Message;
use crate::monitor::DisconnectReason;
use crate::peer::{Direction, Link};
use crate::socket_type::SocketType;

impl Core {
    /// What goes to a new peer of this type before anything else.
    pub(crate) fn first_messages(&self, peer: SocketType) -> Vec<Message> {
        let (traits, greeting) = (self.traits, &self.options.greeting);
        let welcome = self.options.pubsub.welcome_message.as_ref();
        let hello = greeting.hello_message.as_ref();
        let probes = traits.probes && greeting.probe_router && peer == SocketType::Router;
        let mut messages = Vec::new();
        messages.extend(welcome.filter(|_| traits.publishes).cloned());
        messages.extend(hello.filter(|_| traits.greets).cloned());
        messages.extend(probes.then(|| Message::from(Frame::empty())));
        messages
    }

    /// Tells the owner that a peer is there, if it wants a message that says so.
    pub(crate) fn tell_arrival(&self, link: &Link) {
        let greeting = &self.options.greeting;
        let is_router = self.traits.notifies && greeting.router_notify.of_connects();
        if is_router || (self.traits.raw && greeting.stream_notify) {
            link.inbound.publish_first(&Message::from(Frame::empty()));
        }
    }

    /// Tells the owner that a peer is gone, if it wants a message that says so.
    pub(crate) fn tell_departure(&self, link: &Link, reason: DisconnectReason) {
        if matches!(
            reason,
            DisconnectReason::ClosedHere | DisconnectReason::HandedOver
        ) {
            return;
        }
        if link.departed.swap(true, Ordering::Relaxed) {
            return;
        }
        let greeting = &self.options.greeting;
        let (last, wanted) = match link.direction {
            Direction::Accepted => (&greeting.disconnect_message, self.traits.notifies),
            Direction::Connected => (&greeting.hiccup_message, self.traits.hiccups),
        };
        if let Some(last) = last.as_ref().filter(|_| wanted) {
            link.inbound.publish_anyway(last);
        }
        let is_router = self.traits.notifies && greeting.router_notify.of_disconnects();
        if is_router || (self.traits.raw && greeting.stream_notify) {
            link.inbound.publish_anyway(&Message::from(Frame::empty()));
        }
    }
}
