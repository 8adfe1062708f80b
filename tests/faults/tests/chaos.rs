//! Sockets of all types at once on links of tcp and ipc that are slow, hold back, refuse and break at random, while
//! sockets end and begin anew.
//!
//! For some ten seconds; `PRIVATEER_SCALE=100` makes it ten minutes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by a panic"
)]

mod stage;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use privateer_faults::scale;
use stage::director::direct;
use stage::plays;
use stage::world::{Rules, Stage, World};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

/// How long things go wrong, if it is not to be longer.
const SPAN: Duration = Duration::from_secs(6);

/// So long after a round nothing of it is left.
const PATIENCE: Duration = Duration::from_secs(20);

/// Q20: per-peer order is kept, nothing is torn or there twice, counters explain every message that is missing; and in
/// the end no descriptor is left, and no memory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_types_outlive_random_faults() {
    let seed = std::env::var("PRIVATEER_SEED").ok();
    let seed = seed.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let (before, begun) = (open_files(), Instant::now());
    // Some long ones rather than many short ones.
    let long = u32::try_from(scale().min(10)).unwrap();
    let mut memory = Vec::new();
    for _ in 0..scale().div_ceil(10) {
        let (received, faults) = round(&mut rng, SPAN * long).await;
        settle(&before).await;
        memory.push(resident());
        eprintln!(
            "{received} messages, {faults} faults, {:?}; {} files open, {} MiB",
            begun.elapsed(),
            open_files().len(),
            resident() >> 20
        );
    }
    // The first round shows what a round takes.
    let (first, last) = (memory[0], memory[memory.len() - 1]);
    assert!(last < first + first / 2 + (16 << 20), "{memory:?}");
}

/// All types under all rules, each for so long; returns how many messages arrived and how much was done to lines.
async fn round(rng: &mut Rng, span: Duration) -> (u64, u64) {
    let directory = TempDir::new().unwrap();
    let mut worlds = Vec::new();
    let mut playing = JoinSet::new();
    let mut names = HashMap::new();
    for rules in [Rules::Gentle, Rules::Lossy, Rules::Violent] {
        for kind in 0..plays::ALL {
            let world = World::new(Stage::Real(directory.path().to_owned()), rules);
            let directed = direct(Arc::clone(&world), rng.fork(), span);
            let played = plays::play(kind, Arc::clone(&world), rng.fork());
            let task = playing.spawn(async { tokio::join!(directed, played) });
            names.insert(task.id(), (kind, rules));
            worlds.push(world);
        }
    }
    let end = Instant::now() + span + PATIENCE * 6;
    while let Ok(Some(played)) = timeout_at(end.into(), playing.join_next_with_id()).await {
        match played {
            Ok((task, _)) => names.remove(&task),
            Err(failed) => panic!("play {:?} fails", names[&failed.id()]),
        };
    }
    assert!(names.is_empty(), "{names:?} do not end");
    let received = worlds.iter().map(|world| world.ledger.received()).sum();
    (received, worlds.iter().map(|world| world.faults()).sum())
}

/// Waits until no file or socket is open that was not before.
async fn settle(before: &BTreeSet<String>) {
    let patience = Instant::now() + PATIENCE;
    loop {
        let open = open_files();
        let left: Vec<_> = open.difference(before).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < patience, "{} left: {left:?}", left.len());
        sleep(Duration::from_millis(10)).await;
    }
}

/// The files and sockets that this process has open.
fn open_files() -> BTreeSet<String> {
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
    targets.map(|target| target.display().to_string()).collect()
}

/// How many bytes of memory this process has.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.unwrap().trim().strip_suffix(" kB").unwrap();
    kibibytes.parse::<usize>().unwrap() * 1024
}
