//! [`Frame`]: the bytes of one frame of a message.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// The longest body that a frame holds inline.
///
/// Chosen so that a frame is no larger than 40 bytes. A frame that is held inline shares nothing, so no reference
/// count travels between processors for it.
pub(crate) const INLINE_MAX: usize = 31;

/// The body of one frame: bytes that are cheap to clone.
///
/// Small bodies (up to 31 bytes) are values; larger ones are reference-counted. A large frame that was received is a
/// slice of what was read from the network and keeps that whole piece (up to 256 KiB) in memory; call
/// [`detach`](Self::detach) on a frame that is kept for long.
///
/// # Example
/// ```
/// use privateer_core::Frame;
///
/// let frame = Frame::from("hello");
/// assert_eq!(frame, b"hello"[..]);
/// assert_eq!(frame.len(), 5);
/// ```
#[derive(Clone)]
pub struct Frame(Repr);

/// Five words, the first of which says which it is.
///
/// That it is a whole word, and the rest aligned, makes each move of a frame copy the same words: a processor that loads a
/// word from two stores which are still under way waits for both, and a received frame moves some seven times.
#[derive(Clone)]
#[repr(u64)]
enum Repr {
    Inline(Inline),
    Shared(Bytes),
}

/// A body held inline: octets, of which the last tells how many count. What is behind them means nothing.
#[derive(Clone, Copy)]
struct Inline([u64; 4]);

impl Inline {
    const EMPTY: Self = Self([0; 4]);

    fn new(body: &[u8]) -> Option<Self> {
        let mut octets = [0; INLINE_MAX + 1];
        octets.get_mut(..body.len())?.copy_from_slice(body);
        Self::of_chunk(&octets, body.len())
    }

    #[inline]
    fn of_chunk(octets: &[u8; INLINE_MAX + 1], len: usize) -> Option<Self> {
        if len > INLINE_MAX {
            return None;
        }
        let [first, second, third, last] = bytemuck::cast(*octets);
        let last = (u64::from_le(last) & (u64::MAX >> 8)) | (len as u64) << 56;
        Some(Self([first, second, third, last.to_le()]))
    }

    const fn len(self) -> usize {
        (u64::from_le(self.0[3]) >> 56) as usize
    }

    fn as_slice(&self) -> &[u8] {
        let octets: &[u8] = bytemuck::bytes_of(&self.0);
        octets.get(..self.len()).unwrap_or_default()
    }
}

impl Frame {
    /// A frame of no bytes, as delimiters are.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Repr::Inline(Inline::EMPTY))
    }

    /// A frame of a copy of these bytes.
    #[must_use]
    pub fn copy_from_slice(body: &[u8]) -> Self {
        Self::inline(body).unwrap_or_else(|| Self(Repr::Shared(Bytes::copy_from_slice(body))))
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(inline) => inline.as_slice(),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// How many bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Inline(inline) => inline.len(),
            Repr::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes as [`Bytes`]; copies only what was inline.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self.0 {
            Repr::Inline(_) => Bytes::copy_from_slice(self.as_slice()),
            Repr::Shared(bytes) => bytes,
        }
    }

    /// The same bytes in memory of their own, so that keeping the frame keeps nothing else.
    ///
    /// Copies a body that may be a slice of something larger. It stays as it is if it is held inline, or if nobody else refers
    /// to its memory and it is about a third of that or more. A large body that was received is copied too: the process keeps its
    /// memory to read into again.
    #[must_use]
    pub fn detach(self) -> Self {
        let Repr::Shared(shared) = self.0 else {
            return self;
        };
        let own = match shared.try_into_mut() {
            Ok(mut own) => {
                // Where there is room for more than once as much, it is a small part.
                let is_small_part = own.try_reclaim(own.len() + 1);
                if is_small_part {
                    Bytes::copy_from_slice(&own)
                } else {
                    own.freeze()
                }
            }
            Err(shared) => Bytes::copy_from_slice(&shared),
        };
        Self(Repr::Shared(own))
    }

    /// The body, to share it by reference count, unless it is held inline.
    pub(crate) const fn shared(&self) -> Option<&Bytes> {
        match &self.0 {
            Repr::Inline(_) => None,
            Repr::Shared(bytes) => Some(bytes),
        }
    }

    /// A frame that holds `body` inline, or none if it is too long for that.
    pub(crate) fn inline(body: &[u8]) -> Option<Self> {
        Inline::new(body).map(|inline| Self(Repr::Inline(inline)))
    }

    /// As [`inline`](Self::inline), of the first `len` of `octets`; a copy of constant size if there are enough.
    #[inline]
    pub(crate) fn inline_prefix(octets: &[u8], len: usize) -> Option<Self> {
        let inline = match octets.first_chunk() {
            Some(chunk) => Inline::of_chunk(chunk, len),
            None => Inline::new(octets.get(..len)?),
        };
        inline.map(|inline| Self(Repr::Inline(inline)))
    }
}

impl Default for Frame {
    fn default() -> Self {
        Self::empty()
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Frame {}

impl PartialEq<[u8]> for Frame {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_slice() == other
    }
}

impl<const N: usize> PartialEq<[u8; N]> for Frame {
    fn eq(&self, other: &[u8; N]) -> bool {
        self.as_slice() == other
    }
}

impl PartialEq<str> for Frame {
    fn eq(&self, other: &str) -> bool {
        self.as_slice() == other.as_bytes()
    }
}

impl PartialEq<&str> for Frame {
    fn eq(&self, other: &&str) -> bool {
        self.as_slice() == other.as_bytes()
    }
}

impl std::hash::Hash for Frame {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

/// Prints text as text and other bytes as `\xNN`; at most 64 bytes of a longer body.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        let body = self.as_slice();
        match body.get(..SHOWN) {
            Some(head) if body.len() > SHOWN => {
                write!(f, "\"{}\"... ({} bytes)", head.escape_ascii(), body.len())
            }
            _ => write!(f, "\"{}\"", body.escape_ascii()),
        }
    }
}

impl From<Bytes> for Frame {
    fn from(body: Bytes) -> Self {
        Self::inline(&body).unwrap_or(Self(Repr::Shared(body)))
    }
}

impl From<Vec<u8>> for Frame {
    fn from(body: Vec<u8>) -> Self {
        Self::inline(&body).unwrap_or_else(|| Self(Repr::Shared(Bytes::from(body))))
    }
}

impl From<String> for Frame {
    fn from(body: String) -> Self {
        Self::from(body.into_bytes())
    }
}

impl From<&[u8]> for Frame {
    fn from(body: &[u8]) -> Self {
        Self::copy_from_slice(body)
    }
}

impl<const N: usize> From<&[u8; N]> for Frame {
    fn from(body: &[u8; N]) -> Self {
        Self::copy_from_slice(body)
    }
}

impl<const N: usize> From<[u8; N]> for Frame {
    fn from(body: [u8; N]) -> Self {
        Self::copy_from_slice(&body)
    }
}

impl From<&str> for Frame {
    fn from(body: &str) -> Self {
        Self::copy_from_slice(body.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_at_most_40_bytes() {
        assert!(size_of::<Frame>() <= 40);
    }

    #[test]
    fn bodies_around_the_inline_limit_survive() {
        for len in [
            0,
            1,
            INLINE_MAX - 1,
            INLINE_MAX,
            INLINE_MAX + 1,
            255,
            256,
            70_000,
        ] {
            let body = vec![7; len];
            let frame = Frame::from(body.clone());
            assert_eq!(frame.len(), len);
            assert_eq!(frame, body[..]);
            assert_eq!(frame.shared().is_none(), len <= INLINE_MAX);
            assert_eq!(frame.into_bytes(), body);
        }
    }

    #[test]
    fn detach_leaves_the_larger_piece() {
        let piece = Bytes::from(vec![1; 10_000]);
        let frame = Frame::from(piece.slice(100..200)).detach();
        assert!(piece.is_unique());
        assert_eq!(frame, [1; 100]);
    }

    /// Nobody else refers to it, but it keeps what others left.
    #[test]
    fn detach_leaves_memory_that_nobody_needs() {
        for (range, kept) in [(100..200, 100), (9_900..10_000, 100), (0..6_000, 10_000)] {
            let len = range.len();
            let piece = Bytes::from(vec![1; 10_000]).slice(range);
            let detached = Frame::from(piece).detach();
            assert_eq!(detached, vec![1; len][..]);
            let mut own = detached.into_bytes().try_into_mut().unwrap();
            assert!(!own.try_reclaim(kept - len + 1));
        }
    }

    #[test]
    fn debug_shows_text_and_escapes_the_rest() {
        assert_eq!(format!("{:?}", Frame::from(b"ok\xff")), r#""ok\xff""#);
        assert!(format!("{:?}", Frame::from(vec![b'a'; 100])).ends_with("(100 bytes)"));
    }
}
