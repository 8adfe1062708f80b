//! Any bytes in any chunks: the handshake does not panic, and the chunks make no difference.
//!
//! Run it with `cargo fuzz run -s none handshake fuzz/corpus/handshake fuzz/seeds/handshake` in `core/`. The first
//! octet of an input chooses our socket type, the second the chunks, the others come from the peer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use privateer_core::fuzzing::{self, Chunks};

fuzz_target!(|input: &[u8]| {
    let [socket_type, chunks, peer @ ..] = input else {
        return;
    };
    let whole = fuzzing::handshake(*socket_type, [peer]);
    let chunks = Chunks::new(peer, *chunks, 1);
    assert_eq!(fuzzing::handshake(*socket_type, chunks), whole);
});
