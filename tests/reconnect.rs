//! What becomes of an endpoint that is not connected, by the class of its failure.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::time::Duration;

use privateer::core::{
    EndpointNotFound, FailureClass, Linger, PushSocket, ReconnectPolicy, SocketEvent, SocketOptions,
};
use tokio::task::JoinHandle;

mod support;
use support::raw_peer::{RawListener, RawPeer, command, greeting, message, ready};
use support::sockets::{Place, Socket, Transport, Watch, soon};

const MESSAGE: &str = "waits";
const LONGEST: Duration = Duration::from_millis(40);

/// A place where every connection fails in one way.
struct Trouble {
    endpoint: String,
    class: FailureClass,
    /// Whether a message can go out before it does.
    takes_message: bool,
    server: Option<JoinHandle<()>>,
    _place: Option<Place>,
}

impl Drop for Trouble {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

impl Trouble {
    /// One of each class.
    async fn all() -> Vec<Self> {
        let mut all = vec![
            // An address for documentation (RFC 5737), which this machine does not have, as the source.
            Self::at(FailureClass::Unreachable, "tcp://192.0.2.1:*;127.0.0.1:1"),
            Self::at(FailureClass::Unresolved, "tcp://[fe80::1%nointerface0]:1"),
        ];
        for transport in [Transport::Tcp, Transport::IpcPath, Transport::IpcAbstract] {
            let place = transport.place();
            let mut refused = Self::at(FailureClass::Refused, &place.endpoint);
            refused._place = Some(place);
            all.push(refused);
        }
        for class in [
            FailureClass::TimedOut,
            FailureClass::Handshake,
            FailureClass::Denied,
            FailureClass::Misbehaved,
            FailureClass::Lost,
        ] {
            all.push(Self::served(class).await);
        }
        all
    }

    fn at(class: FailureClass, endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            class,
            takes_message: false,
            server: None,
            _place: None,
        }
    }

    async fn served(class: FailureClass) -> Self {
        let listener = RawListener::bind().await;
        let mut trouble = Self::at(class, &listener.endpoint());
        trouble.takes_message = matches!(class, FailureClass::Misbehaved | FailureClass::Lost);
        trouble.server = Some(tokio::spawn(async move {
            let mut silent = Vec::new();
            let mut first = true;
            while let Some(mut peer) = listener.next().await {
                match class {
                    FailureClass::TimedOut => silent.push(peer),
                    FailureClass::Handshake => drop(peer),
                    FailureClass::Denied => {
                        let denied = command("ERROR", b"\x03400");
                        peer.send(&[greeting(), denied].concat()).await;
                        peer.drain().await;
                    }
                    _ => end_later(peer, class, std::mem::take(&mut first)).await,
                }
            }
        }));
        trouble
    }
}

/// Ends an established connection, after a message if there is to be one.
async fn end_later(mut peer: RawPeer, class: FailureClass, with_message: bool) {
    peer.shake_hands(&ready("PULL")).await;
    if with_message {
        peer.expect(&message([MESSAGE.as_bytes()])).await;
    }
    if class == FailureClass::Misbehaved {
        peer.send(b"\xFF").await;
        peer.drain().await;
    }
}

fn options() -> SocketOptions {
    SocketOptions::new()
        .handshake_timeout(Duration::from_millis(50))
        .reconnect_interval(Duration::from_millis(1))
        .reconnect_interval_max(LONGEST)
}

/// A PUSH that connects there, with a message.
async fn push_to(trouble: &Trouble, policy: Option<ReconnectPolicy>) -> (PushSocket, Watch) {
    let mut options = options();
    for class in FailureClass::ALL {
        options = match policy {
            // A policy for one class alone says nothing of the others.
            Some(policy) if class == trouble.class => options.reconnect_policy(class, policy),
            Some(_) => options.reconnect_policy(class, ReconnectPolicy::Retry),
            None => options,
        };
    }
    let push = PushSocket::with(options);
    let watch = push.watch();
    push.try_connect_to(&trouble.endpoint).unwrap();
    push.send(MESSAGE).await.unwrap();
    (push, watch)
}

/// The next failure: its class, the wait that follows, and what is lost if none does.
async fn failure(watch: &mut Watch) -> (FailureClass, Result<Duration, u64>) {
    let pick = |event| match event {
        SocketEvent::Retrying { failure, after, .. } => Some((failure.class(), Ok(after))),
        SocketEvent::GivenUp {
            failure, unsent, ..
        } => Some((failure.class(), Err(unsent))),
        _ => None,
    };
    watch.find(pick).await
}

/// Q12: nothing is forgotten: by default every failure is told of and tried again, over and over.
#[tokio::test]
async fn every_failure_is_tried_again_by_default() {
    for trouble in &Trouble::all().await {
        let (push, mut watch) = push_to(trouble, None).await;
        for _ in 0..3 {
            let (class, then) = failure(&mut watch).await;
            assert_eq!(class, trouble.class, "{}", trouble.endpoint);
            let after = then.unwrap();
            assert!(after <= LONGEST);
            if class == FailureClass::Denied {
                assert!(after >= LONGEST / 2, "{after:?}");
            }
        }
        let unsent = push.end(Linger::Discard).await;
        assert_eq!(unsent, u64::from(!trouble.takes_message));
    }
}

/// Q12: each class can be waited out.
#[tokio::test]
async fn every_failure_can_be_tried_again_slowly() {
    for trouble in &Trouble::all().await {
        let policy = ReconnectPolicy::RetryAtLongest;
        let (_push, mut watch) = push_to(trouble, Some(policy)).await;
        for _ in 0..2 {
            let (class, then) = failure(&mut watch).await;
            assert_eq!(class, trouble.class, "{}", trouble.endpoint);
            let after = then.unwrap();
            assert!(after >= LONGEST / 2 && after <= LONGEST, "{after:?}");
        }
    }
}

/// Q12: each class can be one to give up after: the socket tells, counts what it loses, and forgets the endpoint.
#[tokio::test]
async fn every_failure_can_be_one_to_give_up_after() {
    for trouble in &Trouble::all().await {
        let (push, mut watch) = push_to(trouble, Some(ReconnectPolicy::Stop)).await;
        let lost = u64::from(!trouble.takes_message);
        let told = failure(&mut watch).await;
        assert_eq!(told, (trouble.class, Err(lost)), "{}", trouble.endpoint);
        let stats = push.stats();
        assert_eq!((stats.dropped_connection_lost, stats.queued), (lost, 0));
        assert_eq!(stats.sent, 1);
        assert!(push.try_send("nowhere").unwrap_err().would_block());
        let gone = soon(push.disconnect(&*trouble.endpoint)).await.unwrap_err();
        assert!(matches!(gone, EndpointNotFound::NotFound { .. }));
        // Who wants can begin anew.
        push.try_connect_to(&trouble.endpoint).unwrap();
        assert_eq!(failure(&mut watch).await.0, trouble.class);
        push.end(Linger::Discard).await;
    }
}

/// Q12: what one endpoint gives up does not concern the others.
#[tokio::test]
async fn other_endpoints_stay_connected() {
    let stop = ReconnectPolicy::Stop;
    let push = PushSocket::with(options().reconnect_policy(FailureClass::Refused, stop));
    let mut watch = push.watch();
    let good = RawListener::bind().await;
    push.try_connect_to(&good.endpoint()).unwrap();
    let mut peer = good.accept().await;
    peer.shake_hands(&ready("PULL")).await;
    let nobody = Transport::Tcp.place();
    push.try_connect_to(&nobody.endpoint).unwrap();
    assert_eq!(failure(&mut watch).await, (FailureClass::Refused, Err(0)));
    for _ in 0..3 {
        push.send("still there").await.unwrap();
        peer.expect(&message([b"still there"])).await;
    }
}
