//! The greeting: 64 octets that settle version and mechanism (RFC 37, Formal Grammar).
//!
//! ```text
//!   0    FF           signature
//!   1    8 octets     padding: routing id length + 1; read by ZMTP 1.0 peers only
//!   9    7F           signature
//!  10    03           major version, which older peers call the revision
//!  11    01           minor version
//!  12    20 octets    mechanism, padded with zeros
//!  32    00           as-server
//!  33    31 octets    filler
//! ```
//!
//! Ours goes out in two pieces: 11 octets at once, the other 53 after the peer's 11. Waiting for the peer from the start
//! would make two such sides wait for each other; sending all 64 would leave no room to talk to an older peer.

#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use bytes::{BufMut, BytesMut};

use super::handshake::HandshakeError;
use crate::Frame;

/// Octets of the first piece: signature and major version.
pub(crate) const FIRST_LEN: usize = 11;

/// Octets of the second piece: all the others.
pub(crate) const REST_LEN: usize = 53;

/// Appends our first piece.
pub(crate) fn put_first(out: &mut BytesMut, routing_id_len: usize) {
    // A ZMTP 1.0 peer takes these eight octets for the length of a frame with our routing id (RFC 37, Backwards
    // Interoperability).
    let padding = u64::try_from(routing_id_len).map_or(u64::MAX, |len| len.saturating_add(1));
    out.put_u8(SIGNATURE_START);
    out.put_u64(padding);
    out.put_u8(SIGNATURE_END);
    out.put_u8(MAJOR);
}

/// Appends our second piece.
pub(crate) fn put_rest(out: &mut BytesMut) {
    out.put_u8(MINOR);
    out.put_slice(&MECHANISM);
    // As-server and filler. Roles come from configuration, as with libzmq, which sends zero for a server too.
    out.put_bytes(0, 32);
}

/// The peer's major version, once `input` begins with its whole first piece.
///
/// # Errors
/// [`HandshakeError::NotZmtp`] and [`HandshakeError::TooOld`], as soon as an octet shows it.
pub(crate) fn parse_first(input: &[u8]) -> Result<Option<u8>, HandshakeError> {
    let starts = input.first().is_none_or(|octet| *octet == SIGNATURE_START);
    // The padding may be anything, and of the end only the lowest bit tells: libzmq tests no other.
    let ends = input.get(9).is_none_or(|octet| octet & 1 == 1);
    if !starts || !ends {
        return Err(HandshakeError::NotZmtp);
    }
    match input.get(10) {
        None => Ok(None),
        Some(&revision @ (0 | 1)) => Err(HandshakeError::TooOld { revision }),
        Some(&major) => Ok(Some(major)),
    }
}

/// The minor version to speak with the peer (0 or 1), once `input` begins with its whole second piece.
///
/// # Errors
/// [`HandshakeError::Mechanism`] as soon as the name is complete.
pub(crate) fn parse_rest(input: &[u8], major: u8) -> Result<Option<u8>, HandshakeError> {
    let Some(mechanism) = input.get(1..21) else {
        return Ok(None);
    };
    if mechanism != MECHANISM {
        return Err(HandshakeError::Mechanism {
            found: mechanism_name(mechanism),
        });
    }
    // As-server and filler are not looked at (RFC 37, Topology: NULL has no roles).
    if input.len() < REST_LEN {
        return Ok(None);
    }
    // A higher version has to be accepted and spoken to as 3.1 (RFC 37, Version Negotiation); so is 2, as by libzmq.
    let is_3_0 = major == MAJOR && input.first() == Some(&0);
    Ok(Some(if is_3_0 { 0 } else { MINOR }))
}

/// The name without its padding.
fn mechanism_name(padded: &[u8]) -> Frame {
    let end = padded.iter().rposition(|octet| *octet != 0);
    let name = end.and_then(|end| padded.get(..=end));
    Frame::copy_from_slice(name.unwrap_or_default())
}

const SIGNATURE_START: u8 = 0xFF;
const SIGNATURE_END: u8 = 0x7F;
const MAJOR: u8 = 3;
const MINOR: u8 = 1;
const MECHANISM: [u8; 20] = *b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

#[cfg(test)]
mod tests {
    use super::*;

    /// W01.
    #[test]
    fn our_greeting_is_exactly_this() {
        let mut first = BytesMut::new();
        put_first(&mut first, 3);
        assert_eq!(first[..], *b"\xFF\0\0\0\0\0\0\0\x04\x7F\x03");
        assert_eq!(first.len(), FIRST_LEN);

        let mut rest = BytesMut::new();
        put_rest(&mut rest);
        assert_eq!(rest[..5], *b"\x01NULL");
        assert_eq!(rest[5..], [0; 48]);
        assert_eq!(rest.len(), REST_LEN);
    }

    /// W03: RFC 37, Version Negotiation.
    #[test]
    fn padding_and_versions_are_read_as_libzmq_reads_them() {
        for end in [0x7F, 0x01, 0xFF] {
            for major in [2, 3, 4, 9, 255] {
                let first = [0xFF, 1, 2, 3, 4, 5, 6, 7, 8, end, major];
                assert_eq!(parse_first(&first), Ok(Some(major)));
                assert_eq!(parse_first(&first[..10]), Ok(None));
            }
        }
        for (major, minor, expected) in [
            (3, 0, 0),
            (3, 1, 1),
            (3, 7, 1),
            (2, 0, 1),
            (4, 0, 1),
            (9, 9, 1),
        ] {
            let mut rest = [0xAA; REST_LEN];
            rest[0] = minor;
            rest[1..21].copy_from_slice(&MECHANISM);
            assert_eq!(parse_rest(&rest, major), Ok(Some(expected)));
            assert_eq!(parse_rest(&rest[..REST_LEN - 1], major), Ok(None));
        }
    }

    /// W24: what is no ZMTP is noticed as soon as it can be.
    #[test]
    fn other_protocols_and_old_versions_are_refused() {
        for stray in [
            &b"H"[..],
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\0\x01\0\x01\xFC",
            b"\0",
            b"\xFF\0\0\0\0\0\0\0\x01\x7E",
        ] {
            assert_eq!(parse_first(stray), Err(HandshakeError::NotZmtp));
        }
        for revision in [0, 1] {
            let first = [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, revision];
            assert_eq!(
                parse_first(&first),
                Err(HandshakeError::TooOld { revision })
            );
        }
    }

    #[test]
    fn all_octets_of_the_mechanism_count() {
        for (name, found) in [
            (&b"CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..], "CURVE"),
            (
                b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x",
                "NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x",
            ),
            (b"null\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "null"),
            (&[0; 20], ""),
        ] {
            let rest = [&[1], name].concat();
            let found = Frame::from(found);
            assert_eq!(
                parse_rest(&rest, 3),
                Err(HandshakeError::Mechanism { found })
            );
            assert_eq!(parse_rest(&rest[..20], 3), Ok(None));
        }
    }
}
