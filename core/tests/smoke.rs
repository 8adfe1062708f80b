//! Every pair of socket types exchanges a message over every transport.

use privateer_core::*;

#[tokio::test]
async fn push_pull_over_tcp() {
    let pull = PullSocket::new().unwrap();
    let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
    let push = PushSocket::new().unwrap();
    push.connect(&endpoint).unwrap();
    let send = async {
        for i in 0..10_000u32 {
            push.send(i.to_string()).await.unwrap();
        }
        for _ in 0..10 {
            push.send(vec![1u8; 3_000_000]).await.unwrap();
        }
    };
    let recv = async {
        for i in 0..10_000u32 {
            assert_eq!(pull.recv().await.unwrap()[0], *i.to_string());
        }
        for _ in 0..10 {
            assert_eq!(pull.recv().await.unwrap()[0].len(), 3_000_000);
        }
    };
    tokio::join!(send, recv);
    assert_eq!(push.close().await.unsent, 0);
}

#[tokio::test]
async fn req_rep_over_each() {
    for endpoint in [
        "tcp://127.0.0.1:*",
        "ipc://*",
        "ipc://@privateer-smoke",
        "inproc://smoke",
    ] {
        let rep = RepSocket::new().unwrap();
        let endpoint = rep.bind(endpoint).await.unwrap();
        let req = ReqSocket::new().unwrap();
        req.connect(&endpoint).unwrap();
        for i in 0..100u32 {
            req.send(i.to_string()).await.unwrap();
            assert_eq!(rep.recv().await.unwrap()[0], *i.to_string());
            rep.send("ok").await.unwrap();
            assert_eq!(req.recv().await.unwrap()[0], "ok");
        }
        assert_eq!(req.close().await.unsent, 0);
        assert_eq!(rep.close().await.unsent, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dealer_router_inproc() {
    let router = RouterSocket::new().unwrap();
    let dealer = DealerSocket::new().unwrap();
    dealer.connect("inproc://dr").unwrap();
    dealer.send("early").await.unwrap();
    router.bind("inproc://dr").await.unwrap();
    let (peer, message) = router.recv().await.unwrap();
    assert_eq!(message[0], "early");
    router.send(&peer, "late").await.unwrap();
    assert_eq!(dealer.recv().await.unwrap()[0], "late");
}
