//! What happens to lines, at random, until the play is over.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::sleep;

use super::world::{Line, Rules, World};

/// Lets a world go on for `span`, and things go wrong; then ends the play.
pub(crate) async fn direct(world: Arc<World>, mut rng: Rng, span: Duration) {
    let acts = async {
        loop {
            sleep(Duration::from_millis(rng.u64(1..400))).await;
            let line = rng.choice(world.lines());
            if let Some(line) = line {
                world.count_fault();
                happen(&line, world.rules, &mut rng);
            }
        }
    };
    tokio::select! {
        biased;
        () = acts => {}
        () = sleep(span) => {}
    }
    world.end();
}

fn happen(line: &Line, rules: Rules, rng: &mut Rng) {
    let faults = &line.faults;
    match rng.u8(0..100) {
        0..25 => faults.heal(),
        25..40 => faults.delay(Duration::from_micros(rng.u64(0..200_000))),
        40..50 => faults.split(rng.usize(1..100)),
        50..60 => faults.stall(),
        60..70 => faults.refuse(),
        _ if rules == Rules::Gentle => {}
        70..85 => faults.cut(),
        _ => faults.tear(rng.usize(0..50_000)),
    }
}
