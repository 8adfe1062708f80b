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

/// A server that hangs costs the first try of the calls whose turn it is, and none of them: the other server answers them
/// all, though there is no budget for retries.
#[test]
fn a_server_that_hangs_uses_up_no_retries_of_another() {
    let options = LazyPirateOptions::default().budget(0, 0);
    let mut scene = Scene {
        client: LazyPirateMachine::new(2, options, 1),
        now: Instant::now(),
        outputs: Vec::new(),
    };
    scene.drain();
    let lanes = scene.connect(true);
    for _ in 0..50 {
        for (_, lane) in &lanes {
            let call = scene.call("1");
            let mut request = scene.sent().remove(0);
            assert_eq!(request.0, *lane, "calls take turns");
            if *lane != lanes[1].1 {
                scene.advance(ms(2601));
                request = scene.sent().remove(0);
            }
            assert_eq!(request.0, lanes[1].1);
            scene.echo(&request);
            assert_eq!(scene.finished(), [(call, reply("1"))]);
        }
    }
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
