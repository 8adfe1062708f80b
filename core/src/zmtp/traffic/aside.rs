//! PURE. What stands in the traffic and is not part of a message: commands, and a publisher's subscriptions.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::ops::Range;

use bytes::{Buf, Bytes};

use super::super::frame::Header;
use super::{COMMAND_MAX, INTERRUPTIONS_MAX, PeerMisbehaved, Traffic};
use crate::segment::Segment;

/// What is not part of a message, as the walk comes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aside<'a> {
    /// The body of a command frame.
    Command(&'a [u8]),
    /// The body of a frame that begins with 1 or 0: a topic that is subscribed to or not any more.
    Subscription(&'a [u8]),
}

/// In which frames of a message a publisher looks for subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subscriptions {
    /// In none: the socket is no publisher.
    Ignored,
    /// In those at the beginning of a message; what is behind them is a message of its own.
    AtTheBeginning,
    /// Also in those that come later, which stay where they are; what tells of them goes before their message.
    Anywhere,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Command,
    Subscription,
    /// The octet that tells has not arrived.
    Unknown,
}

impl Traffic {
    /// What the frame behind `header`, at the walk's position, is.
    pub(super) fn kind(&self, header: Header) -> Kind {
        if header.is_command() {
            return Kind::Command;
        }
        let may_be = match self.subscriptions {
            Subscriptions::Ignored => false,
            Subscriptions::AtTheBeginning => self.frames == 0,
            Subscriptions::Anywhere => true,
        };
        if !may_be || header.body == 0 {
            return Kind::Message;
        }
        match self.buffer.octets.get(self.walked + header.len) {
            None => Kind::Unknown,
            Some(0 | 1) => Kind::Subscription,
            Some(_) => Kind::Message,
        }
    }

    /// Where in the buffer the body of a command or subscription is, if all of it is there.
    pub(super) fn body_aside(
        &self,
        header: Header,
    ) -> Result<Option<Range<usize>>, PeerMisbehaved> {
        let len = usize::try_from(header.body)
            .ok()
            .filter(|len| *len <= COMMAND_MAX);
        let Some(len) = len else {
            return Err(PeerMisbehaved::CommandTooLarge { size: header.body });
        };
        let start = self.walked + header.len;
        Ok((start + len <= self.buffer.octets.len()).then_some(start..start + len))
    }

    /// Handles the command or subscription at the walk's position and removes it; tells whether it was whole.
    pub(super) fn cut_aside(
        &mut self,
        header: Header,
        aside: &mut impl FnMut(Aside<'_>) -> Result<Option<Bytes>, PeerMisbehaved>,
    ) -> Result<bool, PeerMisbehaved> {
        let Some(body) = self.body_aside(header)? else {
            return Ok(false);
        };
        let len = header.len + body.len();
        let body = self.buffer.octets.get(body).unwrap_or_default();
        let event = if header.is_command() {
            aside(Aside::Command(body))?
        } else {
            aside(Aside::Subscription(body))?
        };
        // It may stand between the frames of one message: what is before it stays in order.
        self.set_aside();
        self.buffer.octets.advance(len);
        if !self.ready.is_empty() {
            self.held += len;
        }
        self.insert(event)?;
        Ok(true)
    }

    /// Handles the subscription at the walk's position, which stays a frame of its message; tells whether it was whole.
    pub(super) fn tell_aside(
        &mut self,
        header: Header,
        aside: &mut impl FnMut(Aside<'_>) -> Result<Option<Bytes>, PeerMisbehaved>,
    ) -> Result<bool, PeerMisbehaved> {
        let Some(body) = self.body_aside(header)? else {
            return Ok(false);
        };
        let body = self.buffer.octets.get(body).unwrap_or_default();
        let event = aside(Aside::Subscription(body))?;
        self.insert(event)?;
        Ok(true)
    }

    /// Puts an encoded message, if there is one, behind the whole ones, before one that has only begun.
    ///
    /// Also if it comes of a frame of that one, and if it is one too many: what is in force is told, whatever comes next.
    fn insert(&mut self, message: Option<Bytes>) -> Result<(), PeerMisbehaved> {
        let Some(message) = message else {
            return Ok(());
        };
        if let Some(whole) = self.cut(self.whole, self.whole_messages, true) {
            self.hold(whole);
        }
        let segment = Segment::event(message);
        self.held += segment.len();
        let whole = self.ready.iter().rposition(|segment| segment.boundary);
        self.ready.insert(whole.map_or(0, |last| last + 1), segment);
        self.interruptions += usize::from(self.frames > 0);
        if self.interruptions > INTERRUPTIONS_MAX {
            let limit = INTERRUPTIONS_MAX;
            return Err(PeerMisbehaved::TooManyInterruptions { limit });
        }
        Ok(())
    }
}
