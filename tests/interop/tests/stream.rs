//! STREAM with pyzmq's STREAM: raw octets between the two (K17).

use privateer_core::{Peer, SocketType, StreamSocket};
use privateer_interop::{Foreign, Python, Pyzmq, soon};

/// So many octets that ours receives of one peer, in however many pieces.
async fn octets(socket: &StreamSocket, from: &Peer, len: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    while octets.len() < len {
        let (peer, piece) = soon(socket.recv()).await.unwrap();
        assert_eq!(&peer, from);
        assert!(!piece[0].is_empty(), "the connection is lost");
        octets.extend_from_slice(&piece[0]);
    }
    octets
}

/// So many octets that theirs receives from one peer.
async fn their_octets(theirs: &Pyzmq, id: &[u8], len: usize) -> Vec<u8> {
    let mut octets = Vec::new();
    while octets.len() < len {
        let received = theirs.recv().await;
        assert_eq!(received[0], *id);
        assert!(!received[1].is_empty(), "the connection is lost");
        octets.extend_from_slice(&received[1]);
    }
    octets
}

/// K17: connect, notify, octets both ways, close by an empty frame, with either side as the one that connects and the one
/// that closes.
#[tokio::test]
async fn ours_and_theirs_exchange_octets() {
    let Some(python) = Python::ready() else {
        return;
    };
    for we_connect in [true, false] {
        for we_close in [true, false] {
            let ours = StreamSocket::new().unwrap();
            let theirs = Pyzmq::new(&python, SocketType::Stream);
            if we_connect {
                let endpoint = theirs.bind("tcp://127.0.0.1:*").await;
                ours.connect(&*endpoint).unwrap();
            } else {
                let endpoint = ours.bind("tcp://127.0.0.1:*").await.unwrap();
                theirs.connect(&endpoint.to_string()).await;
            }
            let (peer, connected) = soon(ours.recv()).await.unwrap();
            assert!(connected[0].is_empty());
            assert_eq!(peer.socket_type(), SocketType::Stream);
            let connected = theirs.recv().await;
            assert_eq!((connected[0].len(), connected[1].len()), (5, 0));
            let id = connected[0].to_vec();

            let sent = vec![b'x'; 20_000];
            ours.send(&peer, sent.clone()).await.unwrap();
            assert!(their_octets(&theirs, &id, sent.len()).await == sent);
            theirs.send([&id[..], &sent]).await;
            assert!(octets(&ours, &peer, sent.len()).await == sent);

            if we_close {
                ours.send(&peer, "").await.unwrap();
                let closed = theirs.recv().await;
                assert_eq!((&closed[0][..], closed[1].len()), (&id[..], 0));
            } else {
                theirs.send([&id[..], b""]).await;
                // It closes when its owner asks it for something.
                let theirs = Foreign::Pyzmq(theirs);
                let (from, closed) = theirs.attend(ours.recv()).await.unwrap();
                assert_eq!((&from, closed[0].len()), (&peer, 0));
            }
        }
    }
}
