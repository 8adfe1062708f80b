//! Subscriptions: the tree agrees with a naive model, whatever is done in whatever order.
//!
//! Run it with `cargo fuzz run -s none subscriptions fuzz/corpus/subscriptions fuzz/seeds/subscriptions` in `core/`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use privateer_core::fuzzing;

/// More takes long, since the model is naive.
const SCRIPT_MAX: usize = 2_000;

fuzz_target!(|script: &[u8]| {
    fuzzing::subscriptions(script.get(..SCRIPT_MAX).unwrap_or(script));
});
