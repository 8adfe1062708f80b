//! [`ReadBuffer`]: what a connection reads into, of memory that is used again.
//!
//! What was read is handed on as slices of this memory. When the last of them is gone, it can be read into again: fresh
//! memory costs a page fault for each 4 KiB, which is more than it costs to fill them. A slice keeps all of its memory; where
//! too little is handed on of that, it is copied out, so that what waits keeps at most [`KEEPS_MOST`] times what it counts.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut, buf::Limit};

use crate::sync::Mutex;

/// The first and the largest reservation of a read buffer, in bytes. Allocators are quickest with the first: a connection
/// that hears one short message at a time reserves it for each.
pub(crate) const READ_FIRST: usize = 1024;
/// What the first grows to in a few steps.
const READ_USUAL: usize = 8 * 1024;
/// See [`READ_FIRST`].
pub(crate) const READ_LARGEST: usize = 256 * 1024;
/// So few bytes that wait for the rest of their message move to memory of their own, so that no large buffer waits with
/// them.
const REMAINDER: usize = 4 * 1024;
/// What is handed on of a read buffer keeps at most this many times as much memory as it is; a large body keeps four times.
///
/// As long as there is much to read, reads fill more than that share of what they are offered, and nothing is copied.
const KEEPS_MOST: usize = 8;
/// Memory that the process keeps to read into, in bytes; what is still referred to elsewhere counts.
const KEPT: usize = 16 * 1024 * 1024;
/// The least size of what is kept: allocators are quick with less.
const KEPT_LEAST: usize = 64 * 1024;

/// The read buffer of one connection. An idle one owns no memory.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    /// What was read and not handed on.
    pub(crate) octets: BytesMut,
    /// The size of the memory behind it, and how much of that was handed on by reference.
    size: usize,
    shared: usize,
    /// How much of it is not read into, since it only makes the size a usual one.
    surplus: usize,
    /// How much is read next.
    next: usize,
}

impl ReadBuffer {
    pub(crate) const fn new(octets: BytesMut) -> Self {
        Self {
            octets,
            size: 0,
            shared: 0,
            surplus: 0,
            next: READ_FIRST,
        }
    }

    /// Where the next octets go, and how many at most.
    pub(crate) fn target(&mut self) -> Limit<&mut BytesMut> {
        if self.spare() < self.next / 4 {
            if !self.octets.try_reclaim(self.next + self.surplus) {
                // In proportion to what waits, so that a long message in many pieces moves seldom.
                let size = self.octets.len() + self.next.max(self.octets.len() / 4);
                let kept = kept_size(size);
                move_to(&mut self.octets, &mut self.size, memory(kept, kept));
                self.surplus = kept - size;
            }
            // Of this memory nobody has anything.
            self.shared = 0;
        }
        let offered = self.spare().min(READ_LARGEST);
        (&mut self.octets).limit(offered)
    }

    /// Takes `len` octets off the front, of `together` that are handed on before the memory is given up.
    pub(crate) fn cut(&mut self, len: usize, together: usize) -> Bytes {
        if self.is_much(self.shared + together) {
            self.shared += len;
            return self.octets.split_to(len).freeze();
        }
        self.copy(len)
    }

    /// As [`cut`](Self::cut), of what may wait for the rest of its message when all else is gone.
    pub(crate) fn cut_begun(&mut self, len: usize) -> Bytes {
        if self.is_much(len) {
            return self.cut(len, len);
        }
        self.copy(len)
    }

    const fn is_much(&self, len: usize) -> bool {
        len.saturating_mul(KEEPS_MOST) >= self.size
    }

    fn copy(&mut self, len: usize) -> Bytes {
        let octets = Bytes::copy_from_slice(self.octets.get(..len).unwrap_or_default());
        self.octets.advance(len);
        octets
    }

    /// A large body was the last: little is read next, since what is read of another one has to be copied.
    pub(crate) fn expect_large(&mut self) {
        self.next = READ_FIRST;
        self.release();
    }

    /// Tells that `read` octets of a target of `offered` were filled.
    pub(crate) fn filled(&mut self, read: usize, offered: usize) {
        if read == offered {
            // Sizes above that are as they would be if it had begun with it.
            self.next = match self.next {
                ..READ_USUAL => (self.next * 4).min(READ_USUAL),
                _ => (self.next * 2).min(READ_LARGEST),
            };
        } else if read < self.next / 4 {
            self.next = (self.next / 2).max(READ_FIRST);
        }
    }

    /// Nothing is there to be read: gives the memory back unless much waits in it.
    pub(crate) fn release(&mut self) {
        if self.octets.len() <= REMAINDER {
            let remainder = BytesMut::from(&*self.octets);
            keep(std::mem::replace(&mut self.octets, remainder), self.size);
            (self.size, self.shared, self.surplus) = (0, 0, 0);
        }
    }

    fn spare(&self) -> usize {
        let spare = self.octets.capacity() - self.octets.len();
        spare.saturating_sub(self.surplus)
    }
}

/// A large body that is read into memory of its own.
#[derive(Debug)]
pub(crate) struct LargeBody {
    octets: BytesMut,
    size: usize,
    len: usize,
    /// How much of the memory is read into for now: no more where the process owned a larger piece already, so that what
    /// one connection reads does not depend on the others.
    room: usize,
}

/// The least reservation for a large body, in bytes.
pub(crate) const LARGE_FIRST: usize = 256 * 1024;
/// A large body is given this many times the memory that has arrived of it, so that it seldom moves.
const LARGE_GROWTH: usize = 8;

impl LargeBody {
    /// A body of `len` octets, of which these have arrived.
    pub(crate) fn new(len: usize, arrived: &[u8]) -> Self {
        let wanted = reservation(len, arrived.len());
        // What the process owns already may be somewhat larger, and better takes all of it.
        let most = wanted.saturating_mul(4);
        let whole = READ_MEMORY.lock().take(len.min(most), most);
        let (mut octets, size) = whole.unwrap_or_else(|| memory(wanted, most));
        octets.extend_from_slice(arrived);
        Self {
            octets,
            size,
            len,
            room: wanted,
        }
    }

    /// Where its next octets go, and how many at most.
    pub(crate) fn target(&mut self) -> Limit<&mut BytesMut> {
        if self.octets.len() == self.room {
            self.room = reservation(self.len, self.octets.len());
            if self.octets.capacity() < self.room {
                let larger = memory(self.room, self.room.saturating_mul(4));
                move_to(&mut self.octets, &mut self.size, larger);
            }
        }
        let spare = self.room - self.octets.len();
        (&mut self.octets).limit(spare)
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.octets.len() == self.len
    }

    /// The octets that have arrived.
    pub(crate) fn into_octets(mut self) -> Bytes {
        let octets = self.octets.split().freeze();
        keep(self.octets, self.size);
        octets
    }
}

/// How much memory a large body of `len` gets of which `arrived` is here; more than is here, if there is more.
fn reservation(len: usize, arrived: usize) -> usize {
    len.min(arrived.saturating_mul(LARGE_GROWTH).max(LARGE_FIRST))
}

/// Moves octets to other memory, of this size.
fn move_to(octets: &mut BytesMut, size: &mut usize, (mut larger, larger_size): (BytesMut, usize)) {
    larger.extend_from_slice(octets);
    keep(
        std::mem::replace(octets, larger),
        std::mem::replace(size, larger_size),
    );
}

/// The next size up of those that a read buffer has: few of them, so that pieces that are kept fit again.
const fn kept_size(size: usize) -> usize {
    if size < KEPT_LEAST {
        size
    } else {
        size.next_multiple_of(KEPT_LEAST)
    }
}

/// Empty memory of `wanted` bytes, or up to `most` if the process owns it already, and its size.
fn memory(wanted: usize, most: usize) -> (BytesMut, usize) {
    let kept = (wanted >= KEPT_LEAST).then(|| READ_MEMORY.lock().take(wanted, most));
    kept.flatten()
        .unwrap_or_else(|| (BytesMut::with_capacity(wanted), wanted))
}

/// Keeps the memory behind a buffer whose octets are not needed any more.
fn keep(octets: BytesMut, size: usize) {
    if (KEPT_LEAST..=KEPT / 4).contains(&size) {
        READ_MEMORY.lock().keep(octets, size);
    }
}

static READ_MEMORY: Mutex<Kept> = Mutex::new(Kept::new());

/// Memory that was read into and is, or soon will be, free to be read into again.
#[derive(Debug)]
struct Kept {
    /// Empty buffers, and the size of the memory behind each; the newest last.
    pieces: VecDeque<(BytesMut, usize)>,
    bytes: usize,
}

impl Kept {
    const fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The newest piece of `least` to `most` bytes that nobody refers to.
    fn take(&mut self, least: usize, most: usize) -> Option<(BytesMut, usize)> {
        let fits = least..=most;
        let index = (0..self.pieces.len()).rev().find(|index| {
            let piece = self.pieces.get_mut(*index);
            piece.is_some_and(|(octets, size)| fits.contains(size) && octets.try_reclaim(*size))
        })?;
        let (octets, size) = self.pieces.remove(index)?;
        self.bytes -= size;
        Some((octets, size))
    }

    fn keep(&mut self, mut octets: BytesMut, size: usize) {
        octets.clear();
        self.pieces.push_back((octets, size));
        self.bytes += size;
        while self.bytes > KEPT
            && let Some((_, size)) = self.pieces.pop_front()
        {
            self.bytes -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much a body of this length is offered each time, if it takes all of that.
    fn offers(len: usize) -> Vec<usize> {
        let mut body = LargeBody::new(len, &[]);
        let mut offers = Vec::new();
        while !body.is_whole() {
            let mut target = body.target();
            let offered = target.remaining_mut();
            target.put_bytes(0, offered);
            offers.push(offered);
        }
        offers
    }

    #[test]
    fn what_is_offered_does_not_depend_on_what_is_kept() {
        const LEN: usize = 3 * LARGE_FIRST;
        assert_eq!(offers(LEN), [LARGE_FIRST, 2 * LARGE_FIRST]);
        // It is room for the whole body.
        let size = 4 * LARGE_FIRST;
        keep(BytesMut::with_capacity(size), size);
        assert_eq!(offers(LEN), [LARGE_FIRST, 2 * LARGE_FIRST]);
    }

    #[test]
    fn memory_is_used_again_once_nobody_refers_to_it() {
        const SIZE: usize = 3 * KEPT_LEAST + 17;
        let mut kept = Kept::new();
        let mut octets = BytesMut::with_capacity(SIZE);
        octets.extend_from_slice(&[1; 100]);
        let address = octets.as_ptr();
        let slice = octets.split().freeze();
        kept.keep(octets, SIZE);
        assert!(kept.take(SIZE, SIZE).is_none(), "it is still referred to");
        drop(slice);
        assert!(kept.take(SIZE + 1, usize::MAX).is_none() && kept.take(0, SIZE - 1).is_none());
        let (again, size) = kept.take(SIZE / 2, 2 * SIZE).unwrap();
        assert_eq!((again.as_ptr(), again.len(), size), (address, 0, SIZE));
        assert!(again.capacity() >= SIZE);
        assert!(kept.take(SIZE, SIZE).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        const SIZE: usize = KEPT / 5;
        let mut kept = Kept::new();
        for _ in 0..100 {
            kept.keep(BytesMut::with_capacity(SIZE), SIZE);
        }
        assert_eq!((kept.pieces.len(), kept.bytes), (5, 5 * SIZE));
    }

    /// What a buffer of `READ_FIRST` reads, of which all that is handed on is dropped or keeps all of it.
    fn read(buffer: &mut ReadBuffer, octets: usize) {
        let offered = Limit::limit(&buffer.target());
        buffer.octets.put_bytes(7, octets);
        buffer.filled(octets, offered);
    }

    /// Rule 5 of the data path: a budget in bytes is one of memory.
    #[test]
    fn what_is_handed_on_keeps_no_more_than_so_many_times_as_much() {
        const ENOUGH: usize = READ_FIRST / KEEPS_MOST;
        let mut buffer = ReadBuffer::new(BytesMut::new());
        read(&mut buffer, ENOUGH - 1);
        let little = buffer.cut(ENOUGH - 1, ENOUGH - 1);
        assert_eq!(little, [7; ENOUGH - 1][..]);
        assert!(buffer.octets.try_reclaim(READ_FIRST), "nothing is kept");

        // Also what is handed on in parts, the first of which is small.
        read(&mut buffer, 2 * ENOUGH);
        let start = buffer.octets.as_ptr();
        let first = buffer.cut(10, ENOUGH);
        let rest = buffer.cut(ENOUGH - 10, ENOUGH - 10);
        assert_eq!((first.as_ptr(), rest.len()), (start, ENOUGH - 10));
        assert!(!buffer.octets.try_reclaim(READ_FIRST), "it is kept");
        // What comes later keeps nothing that is not kept anyway.
        let later = buffer.cut(1, 1);
        assert_eq!(later.as_ptr(), start.wrapping_add(ENOUGH));
    }

    /// It may wait long after all that stood before it is gone.
    #[test]
    fn the_beginning_of_a_message_keeps_no_buffer_of_others() {
        let mut buffer = ReadBuffer::new(BytesMut::new());
        read(&mut buffer, READ_FIRST);
        let whole = buffer.cut(READ_FIRST - 3, READ_FIRST - 3);
        let begun = buffer.cut_begun(3);
        drop(whole);
        assert_eq!(begun, [7; 3][..]);
        assert!(buffer.octets.try_reclaim(READ_FIRST));
    }

    #[test]
    fn a_remainder_does_not_hold_a_large_buffer() {
        let mut buffer = ReadBuffer::new(BytesMut::new());
        for _ in 0..10 {
            let offered = Limit::limit(&buffer.target());
            buffer.octets.put_bytes(7, offered);
            buffer.filled(offered, offered);
        }
        let _taken = buffer.octets.split_to(buffer.octets.len() - 10);
        buffer.release();
        assert_eq!(
            (&*buffer.octets, buffer.octets.capacity()),
            (&[7; 10][..], 10)
        );
        assert!(Limit::limit(&buffer.target()) >= READ_LARGEST - 10);
        assert_eq!(&*buffer.octets, &[7; 10]);
    }
}
