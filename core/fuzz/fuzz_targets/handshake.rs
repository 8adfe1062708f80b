//! Any bytes in any chunks: the handshake does not panic, and the chunks make no difference.
//!
//! Run it with `cargo fuzz run -s none handshake fuzz/corpus/handshake fuzz/seeds/handshake` in `core/`. The first
//! octet of an input chooses our socket type, the second the chunks, the others come from the peer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use privateer_core::fuzzing;

fuzz_target!(|input: &[u8]| {
    let [socket_type, chunks, peer @ ..] = input else {
        return;
    };
    let whole = fuzzing::handshake(*socket_type, [peer]);
    let chunks = Chunks {
        unread: peer,
        seed: *chunks,
    };
    assert_eq!(fuzzing::handshake(*socket_type, chunks), whole);
});

/// Chunks of 1 to 16 octets, or all of one length for a seed below 16.
struct Chunks<'a> {
    unread: &'a [u8],
    seed: u8,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.unread.is_empty() {
            return None;
        }
        let len = usize::from(self.seed % 16) + 1;
        if self.seed >= 16 {
            // A full-period generator of octets: what matters is that lengths vary.
            self.seed = self.seed.wrapping_mul(5).wrapping_add(17);
        }
        let (chunk, unread) = self.unread.split_at(len.min(self.unread.len()));
        self.unread = unread;
        Some(chunk)
    }
}
