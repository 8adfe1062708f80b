//! Tests of the engine, on virtual time.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::*;

const PEER: u32 = 1;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Links and the time. What is said is delivered at once, unless it is lost.
struct Scene {
    links: Heartbeats<u32>,
    now: Instant,
    beats: Vec<(Instant, Beat<u32>)>,
}

impl Scene {
    fn new(options: HeartbeatOptions) -> Self {
        Self {
            links: Heartbeats::new(options, 7),
            now: Instant::now(),
            beats: Vec::new(),
        }
    }

    fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(due) = self.links.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.timeout();
        }
        self.now = end;
    }

    fn timeout(&mut self) {
        self.links.handle_timeout(self.now);
        let (now, links) = (self.now, &mut self.links);
        self.beats
            .extend(std::iter::from_fn(|| links.poll()).map(|beat| (now, beat)));
    }

    fn count(&self, beat: Beat<u32>) -> usize {
        self.beats
            .iter()
            .filter(|(_, other)| *other == beat)
            .count()
    }

    fn is_dead(&self, peer: u32) -> bool {
        self.count(Beat::Dead(peer)) > 0
    }
}

/// HB-1: k = 3, each heartbeat is lost with probability 0.3 and up to half an interval late: a peer is presumed dead
/// exactly if nothing was heard of it for three intervals. So three in a row must be lost, or two with the next one late.
#[test]
fn a_peer_that_beats_is_not_presumed_dead_by_late_and_lost_beats() {
    const BEATS: u32 = 20;
    let mut random = fastrand::Rng::with_seed(11);
    let options = HeartbeatOptions::default().liveness(NonZeroU32::new(3).unwrap());
    // By how many beats in a row were lost before one was heard: those that lived, and those that died.
    let mut fates = [[0; 2]; BEATS as usize];
    for _ in 0..1000 {
        // Up to a tenth early, as our peers beat.
        let interval = ms(random.u64(900..=1000));
        let (mut arrivals, mut lost, mut most_lost) = (Vec::new(), 0, 0);
        for beat in 1..=BEATS {
            if random.f64() < 0.3 {
                lost += 1;
            } else {
                most_lost = most_lost.max(lost);
                lost = 0;
                arrivals.push(interval * beat + ms(random.u64(0..=500)));
            }
        }
        let mut scene = Scene::new(options.clone());
        let start = scene.now;
        scene.links.up(start, PEER, None);
        let (mut silence, mut heard) = (Duration::ZERO, Duration::ZERO);
        for at in arrivals {
            scene.advance(start + at - scene.now);
            scene.links.heard(scene.now, PEER);
            silence = silence.max(at - heard);
            heard = at;
        }
        let is_dead = scene.is_dead(PEER);
        assert_eq!(is_dead, silence >= ms(3000), "{silence:?}");
        fates[most_lost][usize::from(is_dead)] += 1;
    }
    let sum = |fates: &[[u32; 2]], fate: usize| fates.iter().map(|fates| fates[fate]).sum::<u32>();
    assert_eq!(sum(&fates[..2], 1), 0, "{fates:?}");
    assert_eq!(sum(&fates[3..], 0), 0, "{fates:?}");
    assert!(fates[2][0] > 0 && fates[2][1] > 0, "{fates:?}");
}

/// HB-1: a machine that is so busy that timers are up to an interval late judges nobody wrongly.
#[test]
fn timers_that_are_late_presume_nobody_dead() {
    let mut scene = Scene::new(HeartbeatOptions::default());
    scene.links.up(scene.now, PEER, None);
    for turn in 0..100 {
        scene.now += ms(950 + turn % 50);
        scene.links.heard(scene.now, PEER);
        scene.now += ms(990);
        scene.timeout();
    }
    assert!(!scene.is_dead(PEER));
    assert!(scene.count(Beat::Send(PEER)) > 90);
}

/// HB-2.
#[test]
fn a_silent_peer_is_dead_within_k_and_k_plus_1_intervals() {
    for (k, interval, at) in [(3, 1000, 0), (3, 1000, 333), (5, 40, 17), (1, 2500, 900)] {
        let k = NonZeroU32::new(k).unwrap();
        let interval = ms(interval);
        let mut scene = Scene::new(HeartbeatOptions::default().interval(interval).liveness(k));
        scene.links.up(scene.now, PEER, None);
        scene.advance(ms(at));
        scene.links.heard(scene.now, PEER);
        let last = scene.now;
        scene.advance(interval * (k.get() + 1));
        let dead = scene
            .beats
            .iter()
            .find(|(_, beat)| *beat == Beat::Dead(PEER));
        let after = dead.unwrap().0 - last;
        assert!(
            after >= interval * k.get() && after <= interval * (k.get() + 1),
            "{after:?}"
        );
    }
}

/// HB-3.
#[test]
fn a_peer_is_judged_in_its_own_interval() {
    let mut scene = Scene::new(HeartbeatOptions::default());
    scene.links.up(scene.now, PEER, Some(ms(4000)));
    scene.links.up(scene.now, 2, None);
    for _ in 0..20 {
        scene.advance(ms(4000));
        scene.links.heard(scene.now, PEER);
    }
    assert!(!scene.is_dead(PEER) && scene.is_dead(2));
    scene.advance(ms(12_000));
    assert!(scene.is_dead(PEER));
    let options = HeartbeatOptions::default();
    let for_ever = options.expiry(Some(Duration::MAX));
    assert_eq!(
        for_ever,
        Duration::from_secs(180),
        "nobody announces to live for ever"
    );
}

/// HB-5, U2: after SIGSTOP of 1, 2 and 5 times the expiry, what came meanwhile is read before anybody is judged.
#[test]
fn after_a_pause_of_this_process_nobody_is_judged_at_once() {
    for times in [1, 2, 5] {
        let mut scene = Scene::new(HeartbeatOptions::default());
        for peer in 0..3 {
            scene.links.up(scene.now, peer, None);
        }
        scene.advance(ms(1000));
        scene.now += ms(3000) * times;
        scene.timeout();
        assert!(
            scene
                .beats
                .iter()
                .any(|(_, beat)| matches!(beat, Beat::Paused(_)))
        );
        assert!((0..3).all(|peer| !scene.is_dead(peer)));
        scene.links.heard(scene.now, PEER);
        scene.advance(ms(1001));
        assert!(!scene.is_dead(PEER) && scene.is_dead(0) && scene.is_dead(2));
    }
}

#[test]
fn nobody_is_judged_by_what_was_not_read_for_lack_of_room() {
    let mut scene = Scene::new(HeartbeatOptions::default());
    scene.links.up(scene.now, PEER, None);
    for _ in 0..100 {
        scene.now += ms(500);
        scene.links.hold(scene.now);
        scene.timeout();
    }
    assert!(!scene.is_dead(PEER));
    scene.advance(ms(1001));
    assert!(scene.is_dead(PEER));
}

/// Send only if nothing else was sent within the interval; each link a share of its own early.
#[test]
fn who_sends_needs_no_heartbeats() {
    let mut scene = Scene::new(HeartbeatOptions::default());
    scene.links.up(scene.now, PEER, None);
    scene.links.up(scene.now, 2, None);
    for _ in 0..100 {
        scene.advance(ms(500));
        scene.links.sent(scene.now, PEER);
        scene.links.heard(scene.now, PEER);
        scene.links.heard(scene.now, 2);
    }
    assert_eq!(scene.count(Beat::Send(PEER)), 0);
    let beats = scene.count(Beat::Send(2));
    assert!((50..=56).contains(&beats), "{beats} in 50 intervals");
}

#[test]
fn links_that_began_together_do_not_beat_together() {
    let mut scene = Scene::new(HeartbeatOptions::default());
    for peer in 0..1000 {
        scene.links.up(scene.now, peer, None);
    }
    let start = scene.now;
    scene.advance(ms(1000));
    let first = scene
        .beats
        .iter()
        .map(|(at, _)| (*at - start).as_millis() / 10);
    let mut hundredths = [0; 101];
    first.for_each(|at| hundredths[at as usize] += 1);
    assert_eq!(scene.beats.len(), 1000);
    assert!(hundredths[..89].iter().all(|count| *count == 0));
    assert!(
        hundredths.iter().all(|count| *count < 200),
        "{hundredths:?}"
    );
}

/// Each frame costs the same however many links there are, and what links leave behind does not pile up.
#[test]
fn links_that_come_and_go_leave_nothing_behind() {
    let mut scene = Scene::new(HeartbeatOptions::default());
    for peer in 0..100_000 {
        scene.links.up(scene.now, peer, None);
        scene.links.down(peer);
    }
    assert!(scene.links.timers.len() < 100);
    scene.links.up(scene.now, PEER, None);
    for _ in 0..100_000 {
        scene.links.heard(scene.now, PEER);
        scene.links.sent(scene.now, PEER);
    }
    assert!(scene.links.timers.len() < 100);
}
