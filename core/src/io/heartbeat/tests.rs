//! The heartbeat on a clock of its own.

#![expect(clippy::disallowed_methods, reason = "tests own a clock")]

use super::*;

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);

/// With INTERVAL and TIMEOUT, and when it begins.
fn usual() -> (Heartbeat, Instant) {
    let start = Instant::now();
    (Heartbeat::new(Some(INTERVAL), TIMEOUT, start), start)
}

/// One whose PING was written after the first silence, and when.
fn asked() -> (Heartbeat, Instant) {
    let (mut heartbeat, start) = usual();
    let now = start + INTERVAL;
    assert_eq!(heartbeat.due(now), Due::Ping);
    heartbeat.asked(now);
    (heartbeat, now)
}

#[test]
fn silence_leads_to_a_ping_and_then_to_death() {
    let (mut heartbeat, start) = usual();
    assert_eq!(heartbeat.due(start + INTERVAL / 2), Due::Nothing);
    assert_eq!(heartbeat.next(), Some(start + INTERVAL));
    assert_eq!(heartbeat.due(start + INTERVAL), Due::Ping);
    heartbeat.asked(start + INTERVAL);
    let death = start + INTERVAL + TIMEOUT;
    assert_eq!(heartbeat.next(), Some(death));
    assert_eq!(heartbeat.due(death - SHORTEST), Due::Nothing);
    assert_eq!(heartbeat.due(death), Due::Unanswered);
}

#[test]
fn anything_heard_is_life() {
    let (mut heartbeat, now) = asked();
    heartbeat.heard(now + TIMEOUT / 2);
    assert_eq!(heartbeat.due(now + TIMEOUT), Due::Nothing);
    assert_eq!(heartbeat.next(), Some(now + TIMEOUT / 2 + INTERVAL));
}

#[test]
fn an_answer_tells_the_round_trip() {
    let (mut heartbeat, now) = asked();
    let answer = now + TIMEOUT / 5;
    heartbeat.heard(answer);
    assert_eq!(heartbeat.answered(answer), Some(TIMEOUT / 5));
    // Nobody asked again.
    assert_eq!(heartbeat.answered(answer), None);
}

#[test]
fn a_late_answer_is_not_taken_for_the_next() {
    let (mut heartbeat, now) = asked();
    // A message comes first, and then nothing for so long that a second PING is due.
    heartbeat.heard(now);
    let second = now + INTERVAL;
    assert_eq!(heartbeat.due(second), Due::Ping);
    heartbeat.asked(second);
    assert_eq!(heartbeat.answered(second + TIMEOUT / 5), None);
    let answer = second + TIMEOUT / 4;
    assert_eq!(heartbeat.answered(answer), Some(TIMEOUT / 4));
}

#[test]
fn the_timeout_runs_from_when_the_ping_was_written() {
    let (mut heartbeat, start) = usual();
    assert_eq!(heartbeat.due(start + INTERVAL), Due::Ping);
    assert!(heartbeat.is_asking());
    // However long that takes, no second PING is added to it.
    assert_eq!(heartbeat.next(), None);
    assert_eq!(heartbeat.due(start + INTERVAL * 4), Due::Nothing);
    let written = start + INTERVAL * 9 / 2;
    heartbeat.asked(written);
    assert_eq!(heartbeat.due(written), Due::Nothing);
    assert_eq!(heartbeat.next(), Some(written + TIMEOUT));
    assert_eq!(heartbeat.due(written + TIMEOUT), Due::Unanswered);
}

#[test]
fn a_suspended_connection_is_never_dead_and_still_pings() {
    let (mut heartbeat, now) = asked();
    heartbeat.allow(TIMEOUT, now);
    heartbeat.suspend();
    for intervals in 1..4 {
        let now = now + INTERVAL * intervals;
        assert_eq!(heartbeat.due(now), Due::Ping);
        assert_eq!(heartbeat.due(now), Due::Nothing);
        heartbeat.asked(now);
    }
}

/// Rule 9 of the data path: both clocks restart when reading goes on.
#[test]
fn a_resumed_connection_has_its_whole_time_again() {
    for time_to_live in [TIMEOUT / 2, TIMEOUT * 2] {
        let (mut heartbeat, now) = asked();
        heartbeat.allow(time_to_live, now);
        heartbeat.suspend();
        let resumed = now + INTERVAL / 2;
        heartbeat.resume(resumed);
        assert!(!heartbeat.is_suspended());
        let (death, due) = if time_to_live < TIMEOUT {
            (resumed + time_to_live, Due::Expired)
        } else {
            (resumed + TIMEOUT, Due::Unanswered)
        };
        assert_eq!(heartbeat.next(), Some(death));
        assert_eq!(heartbeat.due(death - SHORTEST), Due::Nothing);
        assert_eq!(heartbeat.due(death), due);
    }
}

/// Rule 9 of the data path: while output is blocked no PING is outstanding.
#[test]
fn a_blocked_connection_waits_for_its_answer_anew() {
    let (mut heartbeat, now) = asked();
    heartbeat.block();
    assert_eq!(heartbeat.next(), None);
    assert_eq!(heartbeat.due(now + INTERVAL), Due::Nothing);
    heartbeat.unblock(now + INTERVAL);
    let death = now + INTERVAL + TIMEOUT;
    assert_eq!(heartbeat.due(death - SHORTEST), Due::Nothing);
    assert_eq!(heartbeat.due(death), Due::Unanswered);
}

/// W14: the time of the peer's PING counts in full, and anything that comes later ends it.
#[test]
fn the_peers_time_to_live_is_honoured_in_full() {
    for tenths in [5, 655, 656, 65535] {
        let time = Duration::from_millis(tenths * 100);
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(None, TIMEOUT, start);
        assert_eq!(heartbeat.next(), None);
        heartbeat.allow(time, start);
        // A second PING does not prolong it; only what is read does.
        heartbeat.allow(time * 2, start + time / 2);
        assert_eq!(heartbeat.next(), Some(start + time));
        assert_eq!(heartbeat.due(start + time - SHORTEST), Due::Nothing);
        assert_eq!(heartbeat.due(start + time), Due::Expired);
        heartbeat.heard(start + time - SHORTEST);
        assert_eq!(heartbeat.next(), None);
        heartbeat.allow(Duration::ZERO, start);
        assert_eq!(heartbeat.next(), None);
    }
}

#[test]
fn no_interval_is_shorter_than_a_millisecond() {
    let start = Instant::now();
    let heartbeat = Heartbeat::new(Some(Duration::ZERO), TIMEOUT, start);
    assert_eq!(heartbeat.next(), Some(start + SHORTEST));
}
