//! Sockets on a simulated network: partitions, broken connections, crashes, in virtual time.
//!
//! Each seed is a play of its own, and always the same one. `PRIVATEER_SCALE` times as many are played as usual;
//! `PRIVATEER_SEED` plays one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod chaos;

use std::sync::Arc;
use std::time::Duration;

use chaos::director::direct;
use chaos::plays;
use chaos::world::{Rules, Stage, World};
use fastrand::Rng;
use privateer::core::Context;
use privateer_faults::scale;
use tokio::time::timeout;

/// Q20 and more, for messages that go one way: in order, whole, none twice, none missing without a reason.
#[test]
fn messages_that_go_one_way() {
    seeds("messages_that_go_one_way", 100, |world, rng| {
        plays::one_way::play(world, rng)
    });
}

/// Plays many seeds, or the one that is asked for.
fn seeds<F: Future<Output = ()>>(name: &str, usual: u64, play: impl Fn(Arc<World>, Rng) -> F) {
    let seeds = match std::env::var("PRIVATEER_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("PRIVATEER_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..usual * scale() as u64,
    };
    for seed in seeds {
        let failing = Failing { name, seed };
        run(seed, &play);
        std::mem::forget(failing);
    }
}

/// Plays one seed; returns a digest of all that happened.
fn run<F: Future<Output = ()>>(seed: u64, play: &impl Fn(Arc<World>, Rng) -> F) -> u64 {
    // For what the sockets themselves draw.
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let rules = [Rules::Gentle, Rules::Lossy, Rules::Violent];
        let rules = rng.choice(rules).unwrap();
        let world = World::new(Stage::Memory(Context::new()), rules);
        let span = Duration::from_millis(rng.u64(500..10_000));
        let directed = direct(Arc::clone(&world), rng.fork(), span);
        let played = timeout(ETERNITY, play(Arc::clone(&world), rng.fork()));
        let ((), ended) = tokio::join!(directed, played);
        ended.expect("a play comes to its end");
        world.ledger.trace()
    })
}

/// No play takes so long, in virtual time.
const ETERNITY: Duration = Duration::from_secs(24 * 60 * 60);

/// Tells how to play a seed again, if it fails.
struct Failing<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        let Self { name, seed } = self;
        eprintln!(
            "seed {seed} fails; again: PRIVATEER_SEED={seed} cargo test --test simulation {name}"
        );
    }
}
