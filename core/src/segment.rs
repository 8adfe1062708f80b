//! [`Segment`]: a piece of a pipe, holding encoded frames.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::sync::Mutex;

/// A piece of a pipe: encoded frames, or the body of one large frame whose header stands in the segment before.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) content: Content,
    /// How many messages end in this segment.
    pub(crate) messages: usize,
    /// Whether the last octet is the last one of a message.
    pub(crate) boundary: bool,
    /// Whether it is a message that stands for a subscription, which goes past the marks.
    pub(crate) is_event: bool,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// Headers and small bodies, in a buffer that can be used again.
    Packed(BytesMut),
    /// Octets shared by reference count: a large body, or what was read from the network.
    Shared(Bytes),
}

impl Segment {
    pub(crate) fn packed(buffer: BytesMut) -> Self {
        Self {
            content: Content::Packed(buffer),
            messages: 0,
            boundary: true,
            is_event: false,
        }
    }

    pub(crate) const fn shared(octets: Bytes, messages: usize, boundary: bool) -> Self {
        Self {
            content: Content::Shared(octets),
            messages,
            boundary,
            is_event: false,
        }
    }

    /// One encoded message that stands for a subscription.
    pub(crate) const fn event(octets: Bytes) -> Self {
        Self {
            content: Content::Shared(octets),
            messages: 1,
            boundary: true,
            is_event: true,
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match &self.content {
            Content::Packed(buffer) => buffer,
            Content::Shared(octets) => octets,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        match self.content {
            Content::Packed(buffer) => buffer.freeze(),
            Content::Shared(octets) => octets,
        }
    }
}

/// One whole message as it stands encoded in a piece of octets.
#[derive(Clone, Debug)]
pub(crate) struct RawMessage<'a> {
    pub(crate) piece: &'a Bytes,
    pub(crate) range: Range<usize>,
    /// How many frames it has.
    pub(crate) frames: u64,
    /// The bytes of their bodies together.
    pub(crate) body: u64,
}

impl RawMessage<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.piece.get(self.range.clone()).unwrap_or_default()
    }

    /// Whether it is at least half of what it keeps in memory if it is shared.
    pub(crate) fn is_most_of_its_piece(&self) -> bool {
        self.range.len() >= self.piece.len() / 2
    }

    /// The same octets, shared by reference count.
    pub(crate) fn to_bytes(&self) -> Bytes {
        self.piece.slice(self.range.clone())
    }
}

/// Buffers of written segments, kept for the next ones; shared by the pipes of one socket.
///
/// Bounded, so that a socket with many idle peers holds no more than a socket with one.
#[derive(Debug, Default)]
pub(crate) struct SegmentPool(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    buffers: Vec<BytesMut>,
    bytes: usize,
}

/// What a pool keeps at most, in bytes.
const POOL_BYTES: usize = 2 * 1024 * 1024;
/// A larger buffer is given back to the allocator; a packed segment is rarely larger than this.
const POOL_BUFFER_BYTES: usize = 128 * 1024;
/// The first size of a buffer that is not from the pool, in bytes.
const FRESH_BUFFER_BYTES: usize = 256;

impl SegmentPool {
    /// An empty buffer.
    pub(crate) fn take(&self) -> BytesMut {
        let pooled = self.0.lock().take();
        pooled.unwrap_or_else(|| BytesMut::with_capacity(FRESH_BUFFER_BYTES))
    }

    /// Gives the buffers of written segments back.
    pub(crate) fn put(&self, segments: impl Iterator<Item = Segment>) {
        let mut kept = self.0.lock();
        for segment in segments {
            if let Content::Packed(buffer) = segment.content {
                kept.put(buffer);
            }
        }
    }
}

impl Kept {
    fn take(&mut self) -> Option<BytesMut> {
        let buffer = self.buffers.pop()?;
        self.bytes -= buffer.capacity();
        Some(buffer)
    }

    fn put(&mut self, mut buffer: BytesMut) {
        if buffer.capacity() <= POOL_BUFFER_BYTES.min(POOL_BYTES - self.bytes) {
            buffer.clear();
            self.bytes += buffer.capacity();
            self.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_pool_keeps_is_bounded() {
        let mut kept = Kept::default();
        for size in [256, POOL_BUFFER_BYTES, 4096] {
            for _ in 0..=POOL_BYTES / 256 {
                kept.put(BytesMut::with_capacity(size));
            }
            let bytes: usize = kept.buffers.iter().map(BytesMut::capacity).sum();
            assert_eq!((kept.bytes, bytes), (POOL_BYTES, POOL_BYTES));
            while kept.take().is_some() {}
            assert_eq!(kept.bytes, 0);
        }
        kept.put(BytesMut::with_capacity(POOL_BUFFER_BYTES + 1));
        assert!(kept.take().is_none(), "it is too large");
    }
}
