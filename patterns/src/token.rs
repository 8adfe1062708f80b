//! The address that a broker or queue gives to workers: it names the request, and a client to nobody. PURE.
//!
//! ```text
//! 00 'P' 'V' '1' · epoch of the giver (8) · serial of the request (8) · its slot (8)     28 bytes, big-endian
//! ```
//!
//! To workers that may take it for a string it is given as one, with the same three numbers in hexadecimal:
//!
//! ```text
//! PV1- epoch (16) - serial (16) - slot (16)                                              54 characters
//! ```
//!
//! A worker can name no other client with it, and a REPLY from before the broker was restarted is recognised, since
//! the epoch is another one. 28 bytes are held inline in a frame.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use privateer_core::Frame;

use crate::arena::Id;

const MAGIC: [u8; 4] = [0x00, b'P', b'V', b'1'];
const LEN: usize = 28;
const TEXT_MAGIC: &str = "PV1-";

/// The address frame of a request.
pub(super) fn write<T>(epoch: u64, request: Id<T>) -> Frame {
    let mut token = [0; LEN];
    let index = u64::try_from(request.index).unwrap_or(u64::MAX);
    let parts = [epoch, request.serial, index];
    let (magic, rest) = token.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    for (octets, part) in rest.chunks_exact_mut(8).zip(parts) {
        octets.copy_from_slice(&part.to_be_bytes());
    }
    Frame::from(token)
}

/// The address frame of a request, as a string.
pub(super) fn write_text<T>(epoch: u64, request: Id<T>) -> Frame {
    let Id { index, serial, .. } = request;
    Frame::from(format!(
        "{TEXT_MAGIC}{epoch:016x}-{serial:016x}-{index:016x}"
    ))
}

/// The request that an address of either kind names, if it was given in this epoch; the request may be gone.
pub(super) fn read<T>(epoch: u64, address: &[u8]) -> Option<Id<T>> {
    let [given, serial, index] = octets(address).or_else(|| text(address))?;
    let index = usize::try_from(index).ok()?;
    (given == epoch).then(|| Id::new(index, serial))
}

fn octets(address: &[u8]) -> Option<[u64; 3]> {
    let parts: &[u8; LEN - MAGIC.len()] = address.strip_prefix(&MAGIC)?.try_into().ok()?;
    let (parts, _) = parts.as_chunks::<8>();
    let parts: &[[u8; 8]; 3] = parts.try_into().ok()?;
    Some(parts.map(u64::from_be_bytes))
}

fn text(address: &[u8]) -> Option<[u64; 3]> {
    let address = str::from_utf8(address).ok()?.strip_prefix(TEXT_MAGIC)?;
    let mut parts = address.splitn(3, '-');
    let mut part = || {
        let digits = parts.next().filter(|digits| digits.len() == 16)?;
        u64::from_str_radix(digits, 16).ok()
    };
    Some([part()?, part()?, part()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_request_in_its_epoch_only() {
        let request: Id<()> = Id::new(5, 1 << 40);
        for (address, len) in [(write(7, request), LEN), (write_text(7, request), 54)] {
            assert_eq!(address.len(), len);
            assert_eq!(read(7, &address), Some(request));
            assert_eq!(read::<()>(8, &address), None);
            assert_eq!(read::<()>(7, &address[1..]), None);
            assert_eq!(read::<()>(7, &address[..len - 1]), None);
            let mut longer = address.to_vec();
            longer.push(b'0');
            assert_eq!(read::<()>(7, &longer), None);
        }
        assert_eq!(read::<()>(7, b""), None);
        assert_eq!(read::<()>(7, b"PV1-"), None);
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let address = write(0x0102_0304_0506_0708, Id::<()>::new(0x0a, 0x0b));
        let expected = b"\0PV1\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0\x0a";
        assert_eq!(address, *expected);
        let address = write_text(0x0102_0304_0506_0708, Id::<()>::new(0x0a, 0x0b));
        let expected = "PV1-0102030405060708-000000000000000b-000000000000000a";
        assert_eq!(address, *expected);
    }
}
