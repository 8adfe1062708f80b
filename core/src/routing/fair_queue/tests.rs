//! Tests of turns.

use crate::routing::receive::{CROWD, CROWD_TURN};
use crate::{DealerSocket, RouterSocket};

/// In a crowd, a peer's turn is whole although the one before it had less than a turn to say, or was paused in it.
#[tokio::test]
async fn a_turn_is_whole_after_one_that_ended_early() {
    const FIRST: usize = 5;
    let router = RouterSocket::new().unwrap();
    router.bind("inproc://whole-turns").await.unwrap();
    // The first has less than a turn, another is paused in its turn, and enough are left to be a crowd.
    let mut dealers = Vec::new();
    for i in 0..CROWD + 3 {
        let dealer = DealerSocket::new().unwrap();
        dealer.connect("inproc://whole-turns").unwrap();
        let messages = if i == 0 { FIRST } else { 2 * CROWD_TURN };
        for _ in 0..messages {
            dealer.try_send(i.to_string()).unwrap();
        }
        dealers.push(dealer);
    }
    let next = || router.try_recv().unwrap().0;
    let first = next();
    for _ in 1..FIRST {
        assert_eq!(next().id(), first.id());
    }
    let second = next();
    for _ in 1..CROWD_TURN {
        assert_eq!(next().id(), second.id());
    }
    let third = next();
    assert_ne!(third.id(), second.id());
    router.pause(&third).unwrap();
    let fourth = next();
    for _ in 1..CROWD_TURN {
        assert_eq!(next().id(), fourth.id());
    }
    assert_ne!(next().id(), fourth.id());
}
