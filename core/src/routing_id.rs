//! [`RoutingId`]: the name by which a ROUTER addresses a peer.

use std::borrow::Borrow;
use std::fmt;

use crate::Frame;

/// The name by which a ROUTER addresses a peer: 1 to 255 bytes.
///
/// A peer may choose its own, which must not begin with a zero byte (RFC 37); to others the ROUTER gives one of five
/// bytes that begins with zero.
///
/// # Example
/// ```
/// use privateer_core::RoutingId;
///
/// let id = RoutingId::new("worker-7")?;
/// assert_eq!(id.as_bytes(), b"worker-7");
/// assert!(RoutingId::new("").is_err());
/// # Ok::<(), privateer_core::InvalidRoutingId>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RoutingId(Frame);

/// These bytes cannot be a routing id that a peer chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRoutingId {
    /// There are no bytes.
    #[error("a routing id needs at least one byte")]
    Empty,
    /// There are more than 255 bytes.
    #[error("a routing id has at most 255 bytes, this one has {len}")]
    TooLong {
        /// How many bytes there were.
        len: usize,
    },
    /// The first byte is zero.
    #[error(
        "a routing id that begins with a zero byte is reserved for ids that a ROUTER gives; begin it with another"
    )]
    LeadingZero,
}

impl RoutingId {
    /// The routing id of these bytes, as a peer may choose it.
    ///
    /// # Errors
    /// [`InvalidRoutingId`] if there are no bytes or more than 255, or if the first one is zero; there is no other.
    pub fn new(id: impl Into<Frame>) -> Result<Self, InvalidRoutingId> {
        let id = id.into().detach();
        match id.first() {
            None => Err(InvalidRoutingId::Empty),
            Some(0) => Err(InvalidRoutingId::LeadingZero),
            Some(_) if id.len() > 255 => Err(InvalidRoutingId::TooLong { len: id.len() }),
            Some(_) => Ok(Self(id)),
        }
    }

    /// The id that a ROUTER gives to the peer of this number: a zero byte and four bytes of the number.
    pub(crate) fn generated(number: u32) -> Self {
        let [a, b, c, d] = number.to_be_bytes();
        Self(Frame::from([0, a, b, c, d]))
    }

    /// An id that was received as a frame, whichever side chose it.
    ///
    /// A program that answers stored addresses needs it; the id need not be known to any socket.
    #[must_use]
    pub fn from_frame(frame: Frame) -> Self {
        Self(frame)
    }

    /// The id as a frame, as messages that pass through ROUTERs carry it.
    #[must_use]
    pub const fn as_frame(&self) -> &Frame {
        &self.0
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// So that a map can be searched with what stands in a message.
impl Borrow<[u8]> for RoutingId {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for RoutingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoutingId({self})")
    }
}

/// Text as text, everything else in hexadecimal.
impl fmt::Display for RoutingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.as_bytes();
        if bytes.iter().all(u8::is_ascii_graphic) {
            return write!(f, "{}", bytes.escape_ascii());
        }
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_have_five_bytes_and_begin_with_zero() {
        assert_eq!(
            RoutingId::generated(0x006b_8b45).as_bytes(),
            [0, 0, 0x6b, 0x8b, 0x45]
        );
        assert_eq!(RoutingId::generated(1).to_string(), "0000000001");
    }

    #[test]
    fn chosen_ids_have_limits() {
        assert_eq!(RoutingId::new(""), Err(InvalidRoutingId::Empty));
        assert_eq!(RoutingId::new([0, 1]), Err(InvalidRoutingId::LeadingZero));
        assert_eq!(
            RoutingId::new(vec![1; 256]),
            Err(InvalidRoutingId::TooLong { len: 256 })
        );
        assert!(RoutingId::new(vec![1; 255]).is_ok());
    }
}
