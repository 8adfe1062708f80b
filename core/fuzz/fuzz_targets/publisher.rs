//! Any bytes in any chunks to a publisher: the walk does not panic, and the chunks make no difference.
//!
//! Run it with `cargo fuzz run -s none publisher fuzz/corpus/publisher fuzz/seeds/publisher` in `core/`. The first octet
//! of an input chooses where subscriptions are looked for, the second the chunks, the others come from the peer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use privateer_core::fuzzing::{self, Chunks};

fuzz_target!(|input: &[u8]| {
    let [anywhere, seed, peer @ ..] = input else {
        return;
    };
    let anywhere = anywhere % 2 == 1;
    let whole = fuzzing::publisher(anywhere, [peer], usize::MAX);
    // Short chunks of much would take long.
    let chunks = Chunks::new(peer, *seed, 1 + peer.len() / 1000);
    let room = usize::from(*seed % 4);
    assert_eq!(fuzzing::publisher(anywhere, chunks, room), whole);
});
