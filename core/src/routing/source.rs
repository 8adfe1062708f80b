//! [`Source`]: one peer of those that a socket receives from in turn.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::decode::Decoder;
use crate::parcel::Parcel;
use crate::peer::Link;
use crate::pipe::Taken;

/// The decode state of one readable peer.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) link: Arc<Link>,
    pub(crate) is_new: bool,
    pub(crate) decoder: Decoder,
    /// Messages handed out whose credit has not returned.
    pub(crate) received: usize,
}

/// What became of a message that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    Taken,
    /// Nothing can be taken now.
    Refused,
    /// Only this one cannot; its peer is paused until somebody resumes it.
    Later,
}

impl Source {
    pub(crate) fn new(link: Arc<Link>, decoder: Decoder) -> Self {
        Self {
            is_new: !link.announced.swap(true, Ordering::Relaxed),
            link,
            decoder,
            received: 0,
        }
    }

    /// Offers the next message; none if all that was taken from the pipe is used up.
    #[inline]
    pub(crate) fn offer(
        &mut self,
        pass: &mut impl FnMut(&Arc<Link>, &Parcel<'_>) -> Offered,
    ) -> Option<Offered> {
        if let Some(raw) = self.decoder.peek() {
            let octets = raw.range.len();
            let offered = pass(&self.link, &Parcel::Raw(raw));
            if offered == Offered::Taken {
                self.decoder.skip(octets);
            }
            return Some(offered);
        }
        let message = self.decoder.next()?;
        let offered = pass(&self.link, &Parcel::Frames(message.frames()));
        if offered != Offered::Taken {
            self.decoder.put_back(message);
        }
        Some(offered)
    }

    #[inline]
    pub(crate) fn count(&mut self) {
        self.received += 1;
        if self.received >= self.link.credit_every.load(Ordering::Relaxed) {
            let credit = self.take_credit();
            self.link.inbound.credit(credit);
        }
    }

    pub(crate) fn refill(&mut self) -> Taken {
        let credit = self.take_credit();
        self.link
            .inbound
            .take(&mut self.decoder.segments, credit, None)
    }

    /// Leaves what was taken to later messages that may take its place.
    pub(crate) fn put_back(&mut self) {
        if self.link.inbound.is_conflating() {
            self.link.inbound.put_back(&mut self.decoder.segments);
        }
    }

    fn take_credit(&mut self) -> (usize, usize) {
        (
            std::mem::take(&mut self.received),
            self.decoder.take_consumed(),
        )
    }
}
