//! Who is next: outgoing messages to each peer in turn, incoming ones from each in turn.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use privateer_core::{DealerSocket, PullSocket, SocketOptions, SocketType};
use privateer_interop::{Libzmq, Python, Pyzmq, connected, message, soon, until};

/// Messages to each peer.
const EACH: usize = 20;
const PEERS: usize = 3;

/// K04
#[tokio::test]
async fn our_dealer_hands_out_messages_as_libzmqs_does() {
    for theirs in [SocketType::Router, SocketType::Rep] {
        let peers = Peers::new(theirs).await;
        let dealer = DealerSocket::new().unwrap();
        let mut monitor = dealer.monitor();
        for endpoint in &peers.endpoints {
            dealer.connect(&**endpoint).unwrap();
        }
        for _ in 0..PEERS {
            connected(&mut monitor).await;
        }
        for number in 0..PEERS * EACH {
            dealer
                .send(message(["", &number.to_string()]))
                .await
                .unwrap();
        }
        let ours = peers.received().await;

        let peers = Peers::new(theirs).await;
        let dealer = Libzmq::new(SocketType::Dealer);
        for endpoint in &peers.endpoints {
            dealer.connect(endpoint).await;
        }
        for number in 0..PEERS * EACH {
            dealer.send(["", &number.to_string()]).await;
        }
        assert_eq!(ours, peers.received().await, "with {theirs}");
    }
}

/// K04
#[tokio::test]
async fn our_dealer_receives_from_each_peer_in_turn() {
    let dealer = DealerSocket::new().unwrap();
    let endpoint = dealer.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        let peer = Libzmq::new(SocketType::Dealer);
        peer.connect(&endpoint).await;
        for number in 0..EACH {
            peer.send([number.to_string()]).await;
        }
        peers.push(peer);
    }
    until(|| dealer.stats().received == (PEERS * EACH) as u64).await;
    for number in 0..EACH {
        let mut turn = Vec::new();
        for _ in 0..PEERS {
            let (peer, received) = soon(dealer.recv_from()).await.unwrap();
            assert_eq!(received, message([number.to_string()]));
            assert!(!turn.contains(&peer));
            turn.push(peer);
        }
    }
}

/// Q19
#[tokio::test]
async fn one_fast_and_nine_slow_senders_get_equal_shares() {
    let Some(python) = Python::ready() else {
        return;
    };
    let (slow, hwm) = (100, 1000);
    let options = SocketOptions::new().recv_hwm(NonZeroUsize::new(hwm));
    let pull = PullSocket::with_options(options).unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let mut senders = Vec::new();
    for name in 0..10 {
        let sender = Pyzmq::new(&python, SocketType::Push);
        sender.connect(&endpoint).await;
        sender
            .flood(&name.to_string(), if name == 0 { 100 * slow } else { slow })
            .await;
        senders.push(sender);
    }
    until(|| pull.stats().received >= (hwm + 9 * slow) as u64).await;
    let mut shares: HashMap<String, usize> = HashMap::new();
    for _ in 0..10 * slow {
        let received = soon(pull.recv()).await.unwrap();
        let name = String::from_utf8(received[0].to_vec()).unwrap();
        *shares.entry(name).or_default() += 1;
    }
    assert_eq!(shares.len(), 10);
    assert!(
        shares
            .values()
            .all(|share| share.abs_diff(slow) <= slow / 5),
        "{shares:?}"
    );
}

/// Bound sockets of libzmq.
struct Peers {
    sockets: Vec<Libzmq>,
    endpoints: Vec<String>,
}

impl Peers {
    async fn new(kind: SocketType) -> Self {
        let sockets: Vec<Libzmq> = (0..PEERS).map(|_| Libzmq::new(kind)).collect();
        let mut endpoints = Vec::new();
        for socket in &sockets {
            endpoints.push(socket.bind("tcp://127.0.0.1:*").await);
        }
        Self { sockets, endpoints }
    }

    /// What each has received, in order.
    async fn received(&self) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for socket in &self.sockets {
            all.push(received(socket).await);
        }
        all
    }
}

/// What one has received; a REP answers, so that it may receive again.
async fn received(socket: &Libzmq) -> Vec<String> {
    let mut received = Vec::new();
    for _ in 0..EACH {
        let message = socket.recv().await;
        if message.len() == 1 {
            socket.send(&message).await;
        }
        let last = message.into_frames().pop().unwrap();
        received.push(String::from_utf8(last.to_vec()).unwrap());
    }
    received
}
