//! Nothing is left of sockets that are gone, by counting. One test, so that nobody else's are counted.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use privateer::core::{
    Context, DealerSocket, Linger, PairSocket, PubSocket, PullSocket, PushSocket, RepSocket,
    ReqSocket, RouterSocket, SubSocket, XpubSocket, XsubSocket,
};
use tokio::runtime::Handle;

mod support;
use support::sockets::{Place, Socket, Transport, eager, link, soon, until};

/// How often sockets come and go.
const ROUNDS: usize = 20;

/// Q07: when a shutdown returns, tasks and descriptors are as many as before, and every port, path and name is free;
/// whatever the sockets were doing.
#[tokio::test]
async fn a_shutdown_leaves_no_task_descriptor_or_port() {
    let mut places: Vec<_> = Transport::KNOWN.map(Transport::place).into();
    places.extend(Transport::KNOWN.map(Transport::place));
    for _ in 0..ROUNDS {
        round(&places).await;
    }
}

/// Sockets of all types in every state, and their end.
async fn round(places: &[Place]) {
    let before = descriptors();
    let mut kept = Vec::new();
    let context = Context::new();
    let options = || eager().context(&context).linger(Linger::Forever);
    macro_rules! pairs {
        ($($binder:ident $connector:ident)*) => {$(
            for transport in Transport::KNOWN {
                let (binder, connector) = ($binder::with(options()), $connector::with(options()));
                link(&binder, &connector, transport).await;
                // Half of them are dropped before the end.
                if matches!(transport, Transport::Tcp | Transport::Inproc) {
                    kept.push((Box::new(binder) as Box<dyn Send>, Box::new(connector) as Box<dyn Send>));
                }
            }
        )*};
    }
    pairs! {
        PairSocket PairSocket
        PushSocket PullSocket
        DealerSocket RouterSocket
        ReqSocket RepSocket
        PubSocket SubSocket
        XpubSocket XsubSocket
    }
    let (listening, dialling) = places.split_at(places.len() / 2);
    // Nobody is there, and something waits to be sent.
    let push = PushSocket::with(options());
    for place in dialling {
        push.try_connect_to(&place.endpoint).unwrap();
        push.send("unsent").await.unwrap();
    }
    // Somebody is there who does not shake hands.
    let pull = PullSocket::with(options());
    let mut watch = pull.watch();
    let mut strangers = Vec::new();
    for place in listening {
        let endpoint = pull.bind_to(&place.endpoint).await.to_string();
        if let Some(address) = endpoint.strip_prefix("tcp://") {
            let address: SocketAddr = address.parse().unwrap();
            let mut stranger = TcpStream::connect(address).unwrap();
            stranger.write_all(&[0xff, 0, 0]).unwrap();
            strangers.push(stranger);
        }
    }
    for _ in &strangers {
        watch.accepted().await;
    }
    assert!(tasks() > 0 && descriptors() > before + strangers.len());
    let report = soon(context.shutdown(Duration::from_millis(50))).await;
    assert_eq!(report.unsent(), dialling.len() as u64);
    drop(strangers);
    assert_eq!((tasks(), descriptors()), (0, before));
    let free = PullSocket::usual();
    for place in listening {
        free.bind_to(&place.endpoint).await;
    }
    free.end(Linger::Discard).await;
    drop((kept, push, pull));
    until(|| tasks() == 0).await;
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}
