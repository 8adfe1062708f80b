//! Messages that go one way: several senders, several receivers, a line between each two.

use std::sync::Arc;

use fastrand::Rng;
use privateer::core::{DealerSocket, PairSocket, PullSocket, PushSocket, RouterSocket};
use tokio::task::JoinSet;

use crate::stage::actors::{Claim, Finale, Part, receive, send};
use crate::stage::ledger::Sizes;
use crate::stage::sockets::{Receives, Sends, Side};
use crate::stage::world::{Rules, World};

/// Octets of a small message and its framing, at least and at most.
const SMALL: (u64, u64) = (18, 35);

/// Plays with sockets of one of four pairs of types.
pub(crate) async fn play(pair: u8, world: Arc<World>, rng: Rng) {
    match pair {
        0 => cast::<PushSocket, PullSocket>(world, rng, 3).await,
        1 => cast::<DealerSocket, DealerSocket>(world, rng, 3).await,
        2 => cast::<DealerSocket, RouterSocket>(world, rng, 3).await,
        _ => cast::<PairSocket, PairSocket>(world, rng, 1).await,
    }
}

async fn cast<S: Sends, R: Receives>(world: Arc<World>, mut rng: Rng, most: usize) {
    let (senders, receivers) = (rng.usize(1..=most), rng.usize(1..=most));
    let side = Side::any(&mut rng);
    let mut lines = Vec::new();
    for _ in 0..senders * receivers {
        lines.push(world.line().await);
    }
    let sizes = if rng.bool() { Sizes::All } else { Sizes::Small };
    let mut part = Part {
        world: Arc::clone(&world),
        rng: rng.fork(),
        lines: Vec::new(),
        side,
        finale: Finale::new(senders, receivers),
        sizes,
    };
    let (mut sending, mut receiving) = (JoinSet::new(), JoinSet::new());
    for own in lines.chunks(receivers) {
        part.lines = own.to_vec();
        part.rng = rng.fork();
        sending.spawn(send::<S>(part.clone()));
    }
    part.side = side.other();
    for index in 0..receivers {
        part.lines = lines
            .iter()
            .skip(index)
            .step_by(receivers)
            .cloned()
            .collect();
        part.rng = rng.fork();
        receiving.spawn(receive::<R>(part.clone()));
    }
    let claims = sending.join_all().await.concat();
    receiving.join_all().await;
    check(&world, &claims, sizes);
}

/// Whether what arrived agrees with what the senders' sockets tell.
fn check(world: &World, claims: &[Claim], sizes: Sizes) {
    let (mut lost, mut connections) = (0, 0);
    for claim in claims {
        let account = world.ledger.account(claim.stream);
        let missing = account.accepted - account.received;
        match world.rules {
            Rules::Gentle => assert_eq!(missing, claim.told, "{claim:?} {account:?}"),
            _ => assert!(missing >= claim.told, "{claim:?} {account:?}"),
        }
        if let Some(last) = claim.last {
            assert!(
                world.ledger.has_arrived(claim.stream, last),
                "{claim:?} {account:?}"
            );
        }
        lost += missing - claim.told;
        connections += claim.connections;
    }
    let on_lines = world.lost_octets().unwrap_or(u64::MAX / 2);
    if world.rules == Rules::Lossy && sizes == Sizes::Small {
        let most = on_lines + connections * SMALL.1;
        assert!(
            lost * SMALL.0 <= most,
            "{lost} lost, {most} octets on lines"
        );
    }
}
