//! Any bytes in any chunks after the handshake: the walk does not panic, and the chunks make no difference.
//!
//! Run it with `cargo fuzz run -s none traffic fuzz/corpus/traffic fuzz/seeds/traffic` in `core/`. The first octet of an
//! input chooses the limit of a frame, the second and third the chunks, the others come from the peer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use privateer_core::fuzzing::{self, Chunks};

fuzz_target!(|input: &[u8]| {
    let [limit, seed, unit, peer @ ..] = input else {
        return;
    };
    // None for zero, else small ones, so that short inputs pass them.
    let limit = (*limit > 0).then_some(u64::from(*limit));
    let peer = expand(peer);
    let whole = fuzzing::traffic(limit, [&peer[..]], usize::MAX);
    // Short chunks of much would take long.
    let unit = usize::from(*unit) + 1 + peer.len() / 1000;
    let room = usize::from(*seed % 4);
    let chunks = Chunks::new(&peer, *seed, unit);
    assert_eq!(fuzzing::traffic(limit, chunks, room), whole);
});

/// The octet that stands for many: as many times 512 as the next octet says. (As flags it is reserved.)
const RUN: u8 = 0xFA;
const RUN_UNIT: usize = 512;
/// What they are; also reserved as flags, so that they take no time where they are no body.
const RUN_OCTET: u8 = 0xFF;
/// No more is expanded beyond this length, so that an input takes a short time.
const EXPANDED_MAX: usize = 300 << 10;

/// So that a short input can have large bodies.
fn expand(input: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut input = input.iter().copied();
    while let Some(octet) = input.next() {
        match octet {
            RUN if octets.len() < EXPANDED_MAX => {
                let units = usize::from(input.next().unwrap_or_default());
                octets.resize(octets.len() + units * RUN_UNIT, RUN_OCTET);
            }
            _ => octets.push(octet),
        }
    }
    octets
}
