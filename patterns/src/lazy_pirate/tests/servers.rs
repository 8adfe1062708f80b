//! Which server is asked, and over which connection.

use super::*;

/// The next try goes to another server, and calls take turns.
#[test]
fn tries_go_round_the_servers() {
    let mut scene = Scene::new(3, LazyPirateOptions::default());
    let lanes = scene.connect(true);
    for (_, lane) in &lanes {
        scene.call("1");
        assert_eq!(scene.sent()[0].0, *lane);
    }
    let mut scene = Scene::new(2, LazyPirateOptions::default());
    let lanes = scene.connect(true);
    scene.call("1");
    scene.advance(ms(6000));
    let sent: Vec<_> = scene.sent().iter().map(|(lane, _)| *lane).collect();
    assert_eq!(sent, [lanes[0].1, lanes[1].1, lanes[0].1]);
}

/// A server that hangs costs one call its first try, and then one in ten seconds; none fails, though there is no budget for
/// retries.
#[test]
fn a_server_that_hangs_uses_up_no_retries_of_another() {
    let mut scene = without_retries(2);
    let lanes = scene.connect(true);
    for _ in 0..5 {
        let probing = scene.call("1");
        assert_eq!(scene.sent()[0].0, lanes[0].1, "its turn has come again");
        scene.advance(ms(2601));
        let request = scene.sent().remove(0);
        assert_eq!(request.0, lanes[1].1);
        scene.echo(&request);
        assert_eq!(scene.finished(), [(probing, reply("1"))]);
        for _ in 0..10 {
            let call = scene.call("1");
            let request = scene.sent().remove(0);
            assert_eq!(request.0, lanes[1].1);
            scene.echo(&request);
            assert_eq!(scene.finished(), [(call, reply("1"))]);
        }
        scene.advance(ms(10_000));
    }
}

/// A server that is away keeps no call from a stranger that is there: that gets a connection for it.
#[test]
fn an_absent_server_takes_no_connection_of_another() {
    let mut scene = Scene::new(2, LazyPirateOptions::default());
    let [_away, (_, there)] = <[_; 2]>::try_from(scene.opened()).unwrap();
    scene.up(there, false);
    scene.call("1");
    scene.call("2");
    let [(server, second)] = <[_; 1]>::try_from(scene.opened()).unwrap();
    assert_eq!(server, 1);
    scene.up(second, false);
    assert_eq!(scene.sent().len(), 2);
}

/// A stranger is replaced by one of ours while connections to it are opened: one is kept, and when that ends, it is made anew.
#[test]
fn a_stranger_can_be_replaced_by_one_of_ours() {
    let mut scene = Scene::new(1, LazyPirateOptions::default());
    let stranger = scene.connect(false)[0].1;
    for call in ["1", "2", "3"] {
        scene.call(call);
    }
    let opening = scene.opened();
    assert_eq!(opening.len(), 2);
    scene.down(stranger);
    for (_, lane) in &opening {
        scene.up(*lane, true);
    }
    assert_eq!(scene.closed().last(), Some(&opening[1].1));
    assert_eq!(scene.client.stats().lanes, 1);
    scene.down(opening[0].1);
    assert_eq!(scene.opened().len(), 1);
}

/// A server that hangs, with no connection left, is not the same as none.
#[test]
fn a_call_that_found_no_free_connection_has_timed_out() {
    let lanes = std::num::NonZeroUsize::MIN;
    let mut scene = Scene::new(1, LazyPirateOptions::default().max_lanes(lanes));
    scene.connect(false);
    scene.call("1");
    let waiting = scene.call("2");
    scene.advance(ms(2400));
    assert_eq!(scene.client.stats().waiting, 1);
    for _ in 0..10 {
        scene.advance(ms(1000));
        scene.connect(false);
    }
    let ended = scene.finished();
    let found = ended.iter().find(|(call, _)| *call == waiting).unwrap();
    assert!(matches!(found.1, Outcome::TimedOut { .. }), "{found:?}");
}

/// F-6: with no server that answers, trying the others is a repeat as any other.
#[test]
fn no_server_is_buried_when_all_hang() {
    let mut scene = without_retries(3);
    scene.connect(true);
    for _ in 0..3 {
        scene.call("1");
    }
    assert_eq!(scene.sent().len(), 3);
    scene.advance(ms(3000));
    for _ in 0..30 {
        scene.call("1");
    }
    scene.advance(ms(8000));
    // Each of the first three may have found one that was not known to hang.
    let stats = scene.client.stats();
    assert!(stats.sent <= 33 + 3, "{stats:?}");
    assert_eq!(stats.timed_out, 33);
}

fn without_retries(servers: usize) -> Scene {
    let options = LazyPirateOptions::default().budget(0, 0);
    let mut scene = Scene {
        client: LazyPirateMachine::new(servers, options, 1),
        now: Instant::now(),
        outputs: Vec::new(),
    };
    scene.drain();
    scene
}

/// U1: also during the second try, though the first is still open elsewhere.
#[test]
fn a_lost_connection_ends_the_try_that_is_on_it() {
    let mut scene = Scene::new(2, LazyPirateOptions::default());
    let lanes = scene.connect(true);
    scene.call("1");
    assert_eq!(scene.sent()[0].0, lanes[0].1);
    scene.advance(ms(2601));
    assert_eq!(scene.sent()[0].0, lanes[1].1);
    scene.down(lanes[1].1);
    scene.advance(ms(300));
    assert_eq!(
        scene.sent().len(),
        1,
        "the third try does not wait for the second's time"
    );
}

/// U1: a connection that ends is no reason to wait for the timeout.
#[test]
fn a_lost_connection_is_an_answer_too() {
    let mut scene = Scene::new(2, LazyPirateOptions::default());
    let lanes = scene.connect(true);
    let call = scene.call("1");
    let first = scene.sent()[0].0;
    assert_eq!(first, lanes[0].1);
    scene.down(first);
    scene.advance(ms(101));
    let again = scene.sent();
    assert_eq!(again[0].0, lanes[1].1);
    scene.echo(&again[0]);
    assert_eq!(scene.finished(), [(call, reply("1"))]);
    assert_eq!(scene.opened().len(), 1, "it is connected to again");
}

/// Hedging: a second server is asked, the first answer counts, the other is dropped.
#[test]
fn a_slow_server_is_hedged_once_by_another() {
    let options = LazyPirateOptions::default().hedge_after(Some(ms(50)));
    let mut scene = Scene::new(2, options.clone());
    let lanes = scene.connect(true);
    let call = scene.call("1");
    scene.advance(ms(49));
    assert_eq!(scene.sent().len(), 1);
    scene.advance(ms(1));
    let hedge = scene.sent();
    assert_eq!(hedge[0].0, lanes[1].1);
    scene.advance(ms(2000));
    assert_eq!(scene.sent(), []);
    scene.echo(&hedge[0]);
    assert_eq!(scene.finished(), [(call, reply("1"))]);
    assert_eq!(scene.client.stats().hedged, 1);

    let mut alone = Scene::new(1, options);
    alone.connect(true);
    alone.call("1");
    alone.advance(ms(2000));
    assert_eq!((alone.sent().len(), alone.client.stats().hedged), (1, 0));
}

/// A stranger gets one call at a time on each connection; as many connections as calls wait, up to the bound.
#[test]
fn a_stranger_has_a_connection_for_each_call() {
    let mut scene = Scene::new(1, LazyPirateOptions::default());
    scene.connect(false);
    for _ in 0..5 {
        scene.call("1");
    }
    while !scene.connect(false).is_empty() {}
    let sent = scene.sent();
    assert_eq!(sent.len(), 5);
    for request in &sent {
        scene.echo(request);
    }
    assert_eq!(scene.finished().len(), 5);
    scene.call("6");
    assert_eq!(scene.sent().len(), 1);
    assert_eq!(scene.client.stats().lanes, 5, "they are used again");
}
