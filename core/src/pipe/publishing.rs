//! How messages enter a pipe: one after another, many at once, or past its marks.

use bytes::Bytes;

use super::state::State;
use super::{Pipe, Published, Refused, wake};
use crate::conflated::first_frame;
use crate::encoded::Encoded;
use crate::frame::Frame;
use crate::message::Message;
use crate::segment::{RawMessage, SegmentPool};

impl Pipe {
    /// Encodes one message, `envelope` first, into the pipe: all of it or nothing.
    pub(crate) fn publish(&self, envelope: &[Frame], message: &Message) -> Result<(), Refused> {
        self.publish_frames(envelope, message.frames())
    }

    /// As [`publish`](Self::publish), of frames that together are at least one.
    pub(crate) fn publish_frames(
        &self,
        envelope: &[Frame],
        frames: &[Frame],
    ) -> Result<(), Refused> {
        let waker = {
            let mut state = self.state.lock();
            state.check_room(|| envelope.iter().chain(frames).next().map_or(&[], |f| f))?;
            state.encode(&self.pool, envelope, frames);
            state.reader.wake()
        };
        wake(waker);
        Ok(())
    }

    /// As [`publish_frames`](Self::publish_frames), without waking the reader; tells whether it waits: then the caller is to
    /// [wake](Self::wake_reader) it, or to see to it that the pipe is emptied.
    pub(crate) fn put(&self, envelope: &[Frame], frames: &[Frame]) -> Result<bool, Refused> {
        let mut state = self.state.lock();
        state.check_room(|| envelope.iter().chain(frames).next().map_or(&[], |f| f))?;
        state.encode(&self.pool, envelope, frames);
        Ok(state.reader.waiting)
    }

    /// Wakes the reader, if it waits.
    pub(crate) fn wake_reader(&self) {
        let waker = self.state.lock().reader.wake();
        wake(waker);
    }

    /// As [`publish`](Self::publish), of frames and a message that is encoded already.
    pub(crate) fn publish_raw(
        &self,
        envelope: &[Frame],
        message: &RawMessage<'_>,
    ) -> Result<(), Refused> {
        let waker = {
            let mut state = self.state.lock();
            state.check_room(|| match envelope.first() {
                Some(frame) => frame,
                None => first_frame([message.as_slice()].into_iter()),
            })?;
            state.copy(&self.pool, envelope, message);
            state.reader.wake()
        };
        wake(waker);
        Ok(())
    }

    /// As [`publish`](Self::publish); tells how much room is left.
    pub(crate) fn publish_alone(&self, message: &Message) -> Result<Published, Refused> {
        self.publish_with(|state, pool| {
            state.check_room(|| message.frames().first().map_or(&[], |frame| frame))?;
            state.encode(pool, &[], message.frames());
            Ok(1)
        })
    }

    /// As [`publish`](Self::publish), of a message that is encoded already; tells how much room is left.
    pub(crate) fn publish_encoded(&self, message: &Encoded) -> Result<Published, Refused> {
        self.publish_with(|state, pool| {
            state.check_room(|| first_frame(message.as_pieces()))?;
            state.append_encoded(pool, message);
            Ok(1)
        })
    }

    /// Publishes as many of these messages as have room; each ends at one of `ends`.
    pub(crate) fn publish_batch(
        &self,
        octets: &Bytes,
        ends: &[usize],
    ) -> Result<Published, Refused> {
        self.publish_with(|state, pool| {
            let messages = state.room_for(ends)?;
            if let Some(end) = messages.checked_sub(1).and_then(|last| ends.get(last)) {
                state.append_batch(pool, (octets, *end), messages);
            }
            Ok(messages)
        })
    }

    fn publish_with(
        &self,
        publish: impl FnOnce(&mut State, &SegmentPool) -> Result<usize, Refused>,
    ) -> Result<Published, Refused> {
        let (waker, published) = {
            let mut state = self.state.lock();
            let messages = publish(&mut state, &self.pool)?;
            let room = state.room();
            let waker = (messages > 0).then(|| state.reader.wake()).flatten();
            (waker, Published { messages, room })
        };
        wake(waker);
        Ok(published)
    }

    /// As [`publish`](Self::publish), whatever the marks say; a finished pipe discards the message.
    pub(crate) fn publish_anyway(&self, message: &Message) {
        let waker = {
            let mut state = self.state.lock();
            if state.finished {
                return;
            }
            state.encode(&self.pool, &[], message.frames());
            state.reader.wake()
        };
        wake(waker);
    }

    /// As [`publish`](Self::publish), but only into a pipe that holds nothing; tells whether it did.
    pub(crate) fn publish_if_idle(&self, message: &Message) -> Result<bool, Refused> {
        let waker = {
            let mut state = self.state.lock();
            if state.finished {
                return Err(Refused::Closed);
            }
            // With nothing in it there is room, unless its reader has paused it.
            if state.queued > 0 || state.room() == 0 {
                return Ok(false);
            }
            state.encode(&self.pool, &[], message.frames());
            state.reader.wake()
        };
        wake(waker);
        Ok(true)
    }

    /// Puts a message before everything else in the pipe, whatever the marks say.
    pub(crate) fn publish_first(&self, message: &Message) {
        let waker = {
            let mut state = self.state.lock();
            let mut later = std::mem::take(&mut state.segments);
            state.tail_open = false;
            state.to_front = true;
            state.encode(&self.pool, &[], message.frames());
            state.to_front = false;
            if !later.is_empty() {
                state.tail_open = false;
            }
            state.segments.append(&mut later);
            state.reader.wake()
        };
        wake(waker);
    }
}
