//! PURE. Frames on the wire: flags, size, body (RFC 37, Framing).
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use bytes::{BufMut, BytesMut};

/// Another frame of the same message follows.
pub(crate) const MORE: u8 = 0x01;
/// The size has eight octets instead of one.
pub(crate) const LONG: u8 = 0x02;
/// The frame is a command.
pub(crate) const COMMAND: u8 = 0x04;
/// "Bits 7-3: reserved for future use and must be zero" (RFC 37, Framing).
pub(crate) const RESERVED: u8 = 0xF8;

/// The longest header.
pub(crate) const HEADER_MAX: usize = 9;

/// What stands before a frame's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The flag bits; no reserved bit is set.
    pub(crate) flags: u8,
    /// Octets of the header itself: 2 or 9.
    pub(crate) len: usize,
    /// Octets of the body, as claimed.
    pub(crate) body: u64,
}

/// A reserved flag bit is set: the stream is not ZMTP, or no longer in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReservedFlags(pub(crate) u8);

impl Header {
    /// Reads the header at the start of `input`; none if more octets are needed.
    ///
    /// A long size that would fit in one octet is accepted, as libzmq does.
    #[inline]
    pub(crate) const fn parse(input: &[u8]) -> Result<Option<Self>, ReservedFlags> {
        match *input {
            [flags, ..] if flags & RESERVED != 0 => Err(ReservedFlags(flags)),
            [flags, size, ..] if flags & LONG == 0 => Ok(Some(Self {
                flags,
                len: 2,
                body: size as u64,
            })),
            [flags, a, b, c, d, e, f, g, h, ..] if flags & LONG != 0 => Ok(Some(Self {
                flags,
                len: HEADER_MAX,
                body: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            })),
            _ => Ok(None),
        }
    }

    pub(crate) const fn more(self) -> bool {
        self.flags & MORE != 0
    }

    pub(crate) const fn is_command(self) -> bool {
        self.flags & COMMAND != 0
    }
}

/// Writes the header of a message frame.
#[inline]
pub(crate) fn put_header(out: &mut BytesMut, more: bool, body: usize) {
    let more = if more { MORE } else { 0 };
    match u8::try_from(body) {
        Ok(size) => out.put_slice(&[more, size]),
        Err(_) => {
            out.put_u8(more | LONG);
            out.put_u64(body as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_up_to_255_take_one_octet() {
        for (body, header) in [
            (0, vec![1, 0]),
            (255, vec![1, 255]),
            (256, vec![3, 0, 0, 0, 0, 0, 0, 1, 0]),
        ] {
            let mut out = BytesMut::new();
            put_header(&mut out, true, body);
            assert_eq!(out, header);
            let parsed = Header::parse(&out).unwrap().unwrap();
            assert_eq!((parsed.body, parsed.len), (body as u64, header.len()));
            assert!(parsed.more() && !parsed.is_command());
        }
    }

    #[test]
    fn a_header_that_is_not_whole_is_no_header() {
        assert_eq!(Header::parse(&[]), Ok(None));
        assert_eq!(Header::parse(&[1]), Ok(None));
        assert_eq!(Header::parse(&[2, 0, 0, 0, 0, 0, 0, 0]), Ok(None));
    }

    /// W10: a long size for a small body is legal.
    #[test]
    fn a_long_size_may_be_small() {
        let header = Header::parse(&[2, 0, 0, 0, 0, 0, 0, 0, 5])
            .unwrap()
            .unwrap();
        assert_eq!((header.body, header.len), (5, 9));
    }

    #[test]
    fn reserved_flag_bits_are_refused() {
        for bit in 3..8 {
            assert_eq!(Header::parse(&[1 << bit, 0]), Err(ReservedFlags(1 << bit)));
        }
    }
}
