//! Places to meet, waits with a deadline, and what all socket types have in common.

use std::future::{Future, poll_fn};
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use privateer::core::{
    CollectorSocket, ConnectError, ConnectFailure, Connection, DealerSocket, DisconnectReason,
    DropReason, Endpoint, Frame, HandshakeFailure, Linger, Message, Monitor, PairSocket, Peer,
    PubSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, SocketEvent,
    SocketOptions, SocketStats, StreamSocket, SubSocket, XpubSocket, XsubSocket,
};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How long anything may take that is only a matter of scheduling.
const SOON: Duration = Duration::from_secs(20);

/// The output of `future`, which has to be there within `limit`.
#[track_caller]
pub(crate) fn within<F: Future>(limit: Duration, future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        let done = timeout(limit, future).await;
        done.unwrap_or_else(|_elapsed| panic!("{caller}: not done within {limit:?}"))
    }
}

/// The output of `future`, which has nothing to wait for but this machine.
#[track_caller]
pub(crate) fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    within(SOON, future)
}

/// Waits for a condition that no event tells of.
#[track_caller]
pub(crate) fn until(mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    soon(async move {
        while !holds() {
            sleep(Duration::from_millis(1)).await;
        }
    })
}

/// Polls a future `times` times, lets others run after each, and drops it; its output if it was done before.
pub(crate) async fn poll_times<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..times {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(output) = polled {
            return Some(output);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// How much more than usual the long tests do: `PRIVATEER_SCALE`, 1 if it is not set.
pub(crate) fn scale() -> usize {
    std::env::var("PRIVATEER_SCALE")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1)
}

/// Tells what is not tested here, on the standard error that the test harness does not capture.
pub(crate) fn skip(what: &str) {
    // Where standard error is closed, nobody reads it.
    let _closed = writeln!(std::io::stderr(), "NOT TESTED: {what}");
}

/// Whether this machine has IPv6, at least for itself. If not, it has to be switched off: elsewhere that is a failure
/// with `CI=true`.
pub(crate) fn has_ipv6() -> bool {
    let Err(error) = TcpListener::bind("[::1]:0") else {
        return true;
    };
    let switch = std::fs::read_to_string("/proc/sys/net/ipv6/conf/lo/disable_ipv6");
    let is_off = cfg!(target_os = "linux") && switch.map_or(true, |switch| switch.trim() == "1");
    let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    assert!(is_off || !is_ci, "there is no IPv6: {error}");
    skip(&format!("IPv6, which this machine does not have: {error}"));
    false
}

/// How two sockets meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    IpcPath,
    IpcAbstract,
    IpcWildcard,
    Inproc,
}

impl Transport {
    pub(crate) const ALL: [Self; 5] = [
        Self::Tcp,
        Self::IpcPath,
        Self::IpcAbstract,
        Self::IpcWildcard,
        Self::Inproc,
    ];

    /// Those whose endpoint is known before it is bound.
    pub(crate) const KNOWN: [Self; 4] = [Self::Tcp, Self::IpcPath, Self::IpcAbstract, Self::Inproc];

    /// Those that connect again by themselves.
    pub(crate) const RECONNECTING: [Self; 3] = [Self::Tcp, Self::IpcPath, Self::IpcAbstract];

    /// One of each kind, for tests that are the same for the rest.
    pub(crate) const KINDS: [Self; 3] = [Self::Tcp, Self::IpcPath, Self::Inproc];

    /// A place where nobody is bound.
    pub(crate) fn place(self) -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let mut directory = None;
        let endpoint = match self {
            Self::Tcp => free_tcp_endpoint(),
            Self::IpcPath => {
                let path = directory
                    .insert(TempDir::new().unwrap())
                    .path()
                    .join("socket");
                format!("ipc://{}", path.display())
            }
            Self::IpcAbstract => format!("ipc://@privateer-{name}"),
            Self::IpcWildcard => "ipc://*".into(),
            Self::Inproc => format!("inproc://{name}"),
        };
        Place {
            endpoint,
            _directory: directory,
        }
    }
}

/// An endpoint that is free when it is made, and what has to live as long as it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) endpoint: String,
    _directory: Option<TempDir>,
}

/// On Linux at an address of this process's own, so that no client of anybody gets its port.
fn free_tcp_endpoint() -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 77, high, low);
    let address = if cfg!(target_os = "linux") {
        own
    } else {
        Ipv4Addr::LOCALHOST
    };
    let listener = TcpListener::bind((address, 0)).unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

/// What all socket types have in common.
pub(crate) trait Socket: Sized {
    fn with(options: SocketOptions) -> Self;
    fn usual() -> Self {
        Self::with(SocketOptions::new())
    }
    async fn bind_to(&self, endpoint: &str) -> Endpoint;
    fn try_connect_to(&self, endpoint: &str) -> Result<(), ConnectError>;
    fn connect_to(&self, endpoint: &Endpoint) {
        self.try_connect_to(&endpoint.to_string()).unwrap();
    }
    fn watch(&self) -> Watch;
    fn first_peer(&self) -> Peer;
    fn counts(&self) -> SocketStats;
    /// Closes the socket; returns how many messages were not sent.
    async fn end(self, linger: Linger) -> u64;
}

macro_rules! sockets {
    ($($name:ident)*) => {$(
        impl Socket for $name {
            fn with(options: SocketOptions) -> Self {
                Self::with_options(options).unwrap()
            }
            async fn bind_to(&self, endpoint: &str) -> Endpoint {
                soon(self.bind(endpoint)).await.unwrap()
            }
            fn try_connect_to(&self, endpoint: &str) -> Result<(), ConnectError> {
                self.connect(endpoint)
            }
            fn watch(&self) -> Watch {
                Watch(self.monitor())
            }
            fn first_peer(&self) -> Peer {
                self.peers().first().unwrap().clone()
            }
            fn counts(&self) -> SocketStats {
                self.stats()
            }
            async fn end(self, linger: Linger) -> u64 {
                soon(self.close_with(linger)).await.unsent
            }
        }
    )*};
}

sockets! {
    PairSocket PushSocket PullSocket DealerSocket RouterSocket ReqSocket RepSocket
    PubSocket SubSocket XpubSocket XsubSocket CollectorSocket StreamSocket
}

/// Binds one socket, connects the other, and waits until each has the other as a peer.
pub(crate) async fn link(
    binder: &impl Socket,
    connector: &impl Socket,
    transport: Transport,
) -> Linked {
    let place = transport.place();
    let (mut bound, mut connected) = (binder.watch(), connector.watch());
    let endpoint = binder.bind_to(&place.endpoint).await;
    connector.connect_to(&endpoint);
    bound.connected().await;
    connected.connected().await;
    Linked {
        endpoint,
        _place: place,
    }
}

/// Where two sockets are linked.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) endpoint: Endpoint,
    _place: Place,
}

/// Waits for events of a socket.
#[derive(Debug)]
pub(crate) struct Watch(pub(crate) Monitor);

impl Watch {
    /// What `pick` makes of the first event that it takes.
    #[track_caller]
    pub(crate) fn find<T>(
        &mut self,
        mut pick: impl FnMut(SocketEvent) -> Option<T>,
    ) -> impl Future<Output = T> {
        soon(async move {
            loop {
                let event = self.0.next().await.unwrap().unwrap();
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        })
    }

    #[track_caller]
    pub(crate) fn connected(&mut self) -> impl Future<Output = Peer> {
        self.find(|event| match event {
            SocketEvent::Connected { peer } => Some(peer),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn accepted(&mut self) -> impl Future<Output = Connection> {
        self.find(|event| match event {
            SocketEvent::Accepted { connection } => Some(connection),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn disconnected(&mut self) -> impl Future<Output = (Peer, DisconnectReason)> {
        self.find(|event| match event {
            SocketEvent::Disconnected { peer, reason } => Some((peer, reason)),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn handshake_failed(&mut self) -> impl Future<Output = HandshakeFailure> {
        self.find(|event| match event {
            SocketEvent::HandshakeFailed { reason, .. } => Some(reason),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn retrying(&mut self) -> impl Future<Output = ConnectFailure> {
        self.find(|event| match event {
            SocketEvent::Retrying { failure, .. } => Some(failure),
            _ => None,
        })
    }

    #[track_caller]
    pub(crate) fn dropped(&mut self) -> impl Future<Output = DropReason> {
        self.find(|event| match event {
            SocketEvent::Dropped { reason, .. } => Some(reason),
            _ => None,
        })
    }
}

/// Options of a client that is back soon after its server.
pub(crate) fn eager() -> SocketOptions {
    SocketOptions::new()
        .reconnect_interval(Duration::from_millis(1))
        .reconnect_interval_max(Duration::from_millis(10))
}

/// A message of these frames.
pub(crate) fn message<const N: usize>(frames: [&str; N]) -> Message {
    frames.map(Frame::from).into()
}

/// The frames of a message as text.
pub(crate) fn texts(message: &Message) -> Vec<String> {
    message
        .frames()
        .iter()
        .map(|frame| String::from_utf8_lossy(frame).into_owned())
        .collect()
}

/// The number that a message of one frame spells.
pub(crate) fn number(message: &Message) -> u64 {
    std::str::from_utf8(&message[0]).unwrap().parse().unwrap()
}
