//! The end of a context: who is woken, what still goes out, what is reported.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use privateer::core::{
    BindError, ConnectError, Context, DealerSocket, Linger, PairSocket, Proxy, ProxyEnd, PubSocket,
    PullSocket, PushSocket, RecvError, RepSocket, ReqSocket, RequestError, RouterSocket, SendError,
    SendErrorKind, SocketOptions, SocketType, SubSocket, XpubSocket, XsubSocket,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;

mod support;
use support::sockets::{Socket, Transport, eager, link, number, soon};

const LONG: Duration = Duration::from_secs(15);
const SHORT: Duration = Duration::from_millis(100);

/// Calls that wait; each is to end, and to tell whether it was told what it should be.
#[derive(Default)]
struct Blocked(Vec<(&'static str, JoinHandle<bool>)>);

impl Blocked {
    fn add(&mut self, name: &'static str, call: impl Future<Output = bool> + Send + 'static) {
        self.0.push((name, tokio::spawn(call)));
    }

    /// Lets all of them begin to wait.
    async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        for (name, call) in &self.0 {
            assert!(!call.is_finished(), "{name} does not wait");
        }
    }

    async fn all_are_told(self) {
        for (name, call) in self.0 {
            let told = soon(call).await.unwrap();
            assert!(told, "{name} is told something else");
        }
    }
}

fn is_closed<T>(received: &Result<T, RecvError>) -> bool {
    matches!(received, Err(RecvError::Closed))
}

/// The message is given back, too.
fn gives_back(sent: Result<(), SendError>) -> bool {
    sent.is_err_and(|error| {
        error.kind() == SendErrorKind::Closed && error.into_message()[0] == "blocked"
    })
}

/// Q07: whoever waits to receive is told that the socket is closed, with every type.
#[tokio::test]
async fn a_shutdown_wakes_everybody_who_receives() {
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let mut blocked = Blocked::default();
    macro_rules! receive {
        ($($socket:ident: $($call:ident)*;)*) => {$(
            let socket = Arc::new($socket::with(options()));
            $(
                let waiting = Arc::clone(&socket);
                blocked.add(stringify!($socket::$call), async move { is_closed(&waiting.$call().await) });
            )*
        )*};
    }
    receive! {
        PullSocket: recv recv_from;
        PairSocket: recv recv_from;
        DealerSocket: recv recv_from;
        RouterSocket: recv recv_event;
        SubSocket: recv recv_from;
        XsubSocket: recv recv_from;
        XpubSocket: recv recv_event;
        RepSocket: recv recv;
    }
    blocked.settle().await;
    assert_eq!(soon(context.shutdown(LONG)).await.unsent(), 0);
    blocked.all_are_told().await;
}

/// Q07: whoever waits to send has the message back.
#[tokio::test]
async fn a_shutdown_wakes_everybody_who_sends() {
    let context = Context::new();
    let options = || SocketOptions::new().context(&context);
    let mut blocked = Blocked::default();
    macro_rules! send {
        ($($socket:ident)*) => {$(
            let socket = $socket::with(options());
            blocked.add(stringify!($socket), async move { gives_back(socket.send("blocked").await) });
        )*};
    }
    send! { PushSocket DealerSocket PairSocket ReqSocket }

    // One message of room on each side.
    let (one, place) = (NonZeroUsize::new(1), Transport::Inproc.place());
    let small = || options().send_hwm(one).recv_hwm(one);
    let (router, dealer) = (RouterSocket::with(small()), DealerSocket::with(small()));
    router.bind_to(&place.endpoint).await;
    dealer.try_connect_to(&place.endpoint).unwrap();
    let peer = router.first_peer();
    while router.try_send(&peer, "full").is_ok() {}
    let router = Arc::new(router);
    let (ready, to) = (Arc::clone(&router), peer.clone());
    blocked.add("RouterSocket::ready", async move {
        ready.ready(&to).await.is_err()
    });
    blocked.add("RouterSocket", async move {
        gives_back(router.send(&peer, "blocked").await)
    });

    let place = Transport::Inproc.place();
    let (rep, client) = (RepSocket::with(small()), DealerSocket::with(small()));
    rep.bind_to(&place.endpoint).await;
    client.try_connect_to(&place.endpoint).unwrap();
    for _ in 0..3 {
        client
            .send(support::sockets::message(["", "request"]))
            .await
            .unwrap();
        soon(rep.recv()).await.unwrap();
        if rep.try_send("reply").is_err() {
            break;
        }
    }
    blocked.add(
        "RepSocket",
        async move { gives_back(rep.send("blocked").await) },
    );

    let place = Transport::Inproc.place();
    let (publisher, sub) = (PubSocket::with(small().no_drop()), SubSocket::with(small()));
    sub.subscribe("").unwrap();
    publisher.bind_to(&place.endpoint).await;
    sub.try_connect_to(&place.endpoint).unwrap();
    while publisher.try_send("full").is_ok() {}
    blocked.add("PubSocket", async move {
        gives_back(publisher.send("blocked").await)
    });
    blocked.settle().await;
    let _report = soon(context.shutdown(LONG)).await;
    blocked.all_are_told().await;
}

/// Q07: so is whoever waits for something else.
#[tokio::test]
async fn a_shutdown_wakes_everybody_else() {
    let context = Context::new();
    let options = || {
        SocketOptions::new()
            .context(&context)
            .linger(Linger::Forever)
    };
    let mut blocked = Blocked::default();
    let nobody = Transport::Tcp.place();

    let req = ReqSocket::with(options());
    req.try_connect_to(&nobody.endpoint).unwrap();
    blocked.add("request", async move {
        matches!(
            req.request("x").await,
            Err(RequestError::Recv(RecvError::Closed))
        )
    });
    let push = Arc::new(PushSocket::with(options()));
    let waiting = Arc::clone(&push);
    blocked.add("send_ready", async move {
        waiting.send_ready().await;
        waiting.try_send("x").unwrap_err().kind() == SendErrorKind::Closed
    });
    let mut monitor = push.monitor();
    blocked.add("monitor", async move {
        matches!(monitor.next().await, Ok(None))
    });
    let pull = PullSocket::with(options());
    blocked.add("recv_ready", async move {
        pull.recv_ready().await;
        is_closed(&pull.try_recv())
    });
    let publisher = PubSocket::with(options());
    blocked.add("wait_for", async move {
        publisher.wait_for("x", 1).await;
        publisher.try_send("x").unwrap_err().kind() == SendErrorKind::Closed
    });
    let sub = SubSocket::with(options());
    blocked.add("subscribed", async move {
        let subscribed = sub.subscribed(1).await;
        subscribed.confirmed.is_empty() && is_closed(&sub.try_recv())
    });
    let leaving = PushSocket::with(options());
    leaving.try_connect_to(&nobody.endpoint).unwrap();
    leaving.send("x").await.unwrap();
    let endpoint = nobody.endpoint.clone();
    blocked.add("disconnect", async move {
        leaving.disconnect(&*endpoint).await.unwrap().unsent == 1
    });
    let proxy = Proxy::pull_push(PullSocket::with(options()), PushSocket::with(options()));
    blocked.add("proxy", async move {
        matches!(proxy.run().await.end, ProxyEnd::SocketClosed)
    });
    blocked.settle().await;
    let _report = soon(context.shutdown(SHORT)).await;
    blocked.all_are_told().await;
    drop(push);
}

/// Q07: there is one deadline for all, however long each would linger, and what did not go out is told for each.
#[tokio::test]
async fn a_shutdown_ends_with_its_deadline_and_tells_what_is_left() {
    for transport in Transport::KNOWN {
        let context = Context::new();
        let options = |linger| eager().context(&context).linger(linger);
        let places = [(); 3].map(|()| transport.place());
        let [forever, long, discard] =
            [Linger::Forever, Linger::For(LONG), Linger::Discard].map(options);
        let push = PushSocket::with(forever);
        let dealer = DealerSocket::with(long);
        let pair = PairSocket::with(discard);
        push.try_connect_to(&places[0].endpoint).unwrap();
        dealer.try_connect_to(&places[1].endpoint).unwrap();
        pair.try_connect_to(&places[2].endpoint).unwrap();
        for i in 0..7 {
            push.send(i.to_string()).await.unwrap();
        }
        for i in 0..5 {
            dealer.send(i.to_string()).await.unwrap();
        }
        pair.send("x").await.unwrap();
        let begun = Instant::now();
        let report = soon(context.shutdown(SHORT)).await;
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < LONG);
        assert_eq!(report.unsent(), 13, "{transport:?}");
        let told = report.sockets.iter().zip(&places);
        let told: Vec<_> = told
            .map(|(socket, place)| {
                assert_eq!(socket.endpoints.len(), 1);
                assert_eq!(socket.endpoints[0].to_string(), place.endpoint);
                (socket.socket_type, socket.unsent)
            })
            .collect();
        let expected = [
            (SocketType::Push, 7),
            (SocketType::Dealer, 5),
            (SocketType::Pair, 1),
        ];
        assert_eq!(told, expected, "{transport:?}");
        // Whoever closes one afterwards is told the same.
        assert_eq!(push.end(Linger::Forever).await, 7);
        assert_eq!(dealer.end(Linger::Discard).await, 5);
        assert_eq!(pair.end(Linger::Forever).await, 1);
    }
}

/// Q07: what can go out within the deadline does, and the shutdown takes no longer than that.
#[tokio::test]
async fn a_shutdown_sends_what_is_queued() {
    for transport in Transport::RECONNECTING {
        let context = Context::new();
        let place = transport.place();
        let push = PushSocket::with(eager().context(&context).linger(Linger::Forever));
        push.try_connect_to(&place.endpoint).unwrap();
        for i in 0..500 {
            push.send(i.to_string()).await.unwrap();
        }
        let shutting = {
            let context = context.clone();
            tokio::spawn(async move { context.shutdown(LONG).await })
        };
        let pull = PullSocket::usual();
        pull.bind_to(&place.endpoint).await;
        for i in 0..500 {
            assert_eq!(number(&soon(pull.recv()).await.unwrap()), i);
        }
        assert_eq!(soon(shutting).await.unwrap().unsent(), 0, "{transport:?}");
    }
}

/// Q07: a socket that closes already ends with the deadline, and both are told the same.
#[tokio::test]
async fn a_shutdown_ends_what_lingers_already() {
    for transport in Transport::KNOWN {
        let context = Context::new();
        let place = transport.place();
        let (push, pair) = (
            PushSocket::with(eager().context(&context)),
            PairSocket::with(eager().context(&context)),
        );
        push.try_connect_to(&place.endpoint).unwrap();
        pair.try_connect_to(&place.endpoint).unwrap();
        for i in 0..3 {
            push.send(i.to_string()).await.unwrap();
            pair.send(i.to_string()).await.unwrap();
        }
        let closing = tokio::spawn(push.close_with(Linger::Forever));
        let dropped = tokio::spawn(pair.close_with(Linger::For(LONG)));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let report = soon(context.shutdown(SHORT)).await;
        assert_eq!(report.unsent(), 6, "{transport:?}");
        assert_eq!(soon(closing).await.unwrap().unsent, 3);
        assert_eq!(soon(dropped).await.unwrap().unsent, 3);
    }
}

/// Q07: after it, nothing begins any more; other contexts do not hear of it.
#[tokio::test]
async fn after_a_shutdown_nothing_begins() {
    let (context, other) = (Context::new(), Context::new());
    let (left, right) = (
        PairSocket::with(other.socket_options()),
        PairSocket::with(other.socket_options()),
    );
    let _linked = link(&left, &right, Transport::Inproc).await;
    let before = PushSocket::with(context.socket_options());
    assert_eq!(soon(context.shutdown(LONG)).await.sockets.len(), 1);
    let after = PushSocket::with(context.socket_options());
    for (socket, transport) in [&before, &after]
        .into_iter()
        .flat_map(|socket| Transport::KNOWN.map(|transport| (socket, transport)))
    {
        let place = transport.place();
        let bound = soon(socket.bind(&*place.endpoint)).await;
        assert!(matches!(bound, Err(BindError::Closed)));
        let connected = socket.connect(&*place.endpoint);
        assert_eq!(connected, Err(ConnectError::Closed));
        let refused = socket.try_send("x").unwrap_err();
        assert_eq!(refused.kind(), SendErrorKind::Closed);
    }
    assert_eq!(soon(context.shutdown(LONG)).await.unsent(), 0);
    left.send("still here").await.unwrap();
    assert_eq!(soon(right.recv()).await.unwrap()[0], "still here");
}
