//! The plays: who is in each, and what has to hold in the end.

use std::collections::BTreeSet;
use std::sync::Arc;

use fastrand::Rng;

use super::sockets::Publishes;
use super::world::World;

pub(crate) mod chain;
pub(crate) mod one_way;
pub(crate) mod publish;
pub(crate) mod requests;

/// Pairs of socket types in each play.
pub(crate) const PAIRS: u8 = 4;
/// The first play with messages that go one way; and so on.
pub(crate) const ONE_WAY: u8 = 0;
pub(crate) const REQUESTS: u8 = PAIRS;
pub(crate) const PUBLISH: u8 = 2 * PAIRS;
/// How many plays there are with all types of sockets.
pub(crate) const ALL: u8 = 3 * PAIRS;
/// And one more.
pub(crate) const CHAIN: u8 = ALL;

/// Plays one of [`ALL`], or [`CHAIN`].
pub(crate) async fn play(which: u8, world: Arc<World>, rng: Rng) {
    let pair = which % PAIRS;
    match which / PAIRS {
        0 => one_way::play(pair, world, rng).await,
        1 => requests::play(pair, world, rng).await,
        2 => publish::play(pair, world, rng).await,
        _ => chain::play(world, rng).await,
    }
}

/// Takes what a publisher hears of subscriptions.
fn hear<P: Publishes>(socket: &P, heard: &mut BTreeSet<String>) {
    while let Some(message) = socket.try_hear() {
        let text = std::str::from_utf8(&message[0]).unwrap();
        let (octet, topic) = text.split_at(1);
        let is_news = match octet {
            "\u{1}" => heard.insert(topic.to_owned()),
            _ => heard.remove(topic),
        };
        assert!(is_news, "{text:?} is told twice");
    }
}
