use std::io::Write as _;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use socket2::SockRef;
use tokio::time::timeout;

use super::*;
use crate::endpoint::Address;
use crate::options::{SocketOptions, TcpKeepalive};

/// No longer than anything takes on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Tells what is not tested here, on the standard error that the test harness does not capture. `tests/tcp.rs` decides
/// whether that is a failure.
fn skip(what: &str) {
    // Where standard error is closed, nobody reads it.
    let _closed = writeln!(io::stderr(), "NOT TESTED: {what}");
}

/// A connection of two sockets with these options, over the loopback of IPv4: the accepted side and the connected one.
async fn joined(options: SocketOptions) -> [TcpStream; 2] {
    let kernel = options.kernel;
    let listener = bind("tcp://127.0.0.1:*", kernel).await.unwrap();
    let dialer = dialer(&listener.endpoint().to_string(), kernel);
    let both = async { tokio::join!(listener.accept(), dialer.dial()) };
    let (accepted, connected) = timeout(SOON, both).await.unwrap();
    let ((accepted, _), (connected, _)) = (accepted.unwrap(), connected.unwrap());
    [accepted, connected]
}

async fn bind(endpoint: &str, kernel: KernelOptions) -> io::Result<TcpListener> {
    TcpListener::bind(&address(endpoint).target, 100, kernel).await
}

fn dialer(endpoint: &str, kernel: KernelOptions) -> TcpDialer {
    TcpDialer::new(address(endpoint), kernel)
}

fn address(endpoint: &str) -> TcpAddress {
    let endpoint: Endpoint = endpoint.parse().unwrap();
    match endpoint.address() {
        Address::Tcp(address) => address.clone(),
        other => panic!("{other:?} is not tcp"),
    }
}

#[tokio::test]
async fn keepalive_is_the_systems_off_or_on() {
    let options = SocketOptions::new();
    for (keepalive, is_on) in [
        (TcpKeepalive::System, false),
        (TcpKeepalive::Off, false),
        (TcpKeepalive::On, true),
    ] {
        for stream in joined(options.clone().tcp_keepalive(keepalive)).await {
            assert_eq!(SockRef::from(&stream).keepalive().unwrap(), is_on);
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn keepalive_probes_are_as_the_options_say() {
    let options = SocketOptions::new().tcp_keepalive(TcpKeepalive::On);
    let of_the_system = probes(options.clone()).await;
    assert_eq!(of_the_system[0], of_the_system[1]);
    let given = |idle, interval, count| {
        let options = options.clone();
        let options = options.tcp_keepalive_idle(Some(idle));
        let options = options.tcp_keepalive_interval(Some(interval));
        options.tcp_keepalive_count(NonZeroU32::new(count))
    };
    let seconds = Duration::from_secs;
    for (options, expected) in [
        // What is not given stays.
        (
            options.clone().tcp_keepalive_idle(Some(seconds(70))),
            (seconds(70), of_the_system[0].1, of_the_system[0].2),
        ),
        (
            given(seconds(5), seconds(2), 3),
            (seconds(5), seconds(2), 3),
        ),
        // Rounded up, or to the nearest that can be had.
        (
            given(Duration::from_millis(1_001), Duration::ZERO, 127),
            (seconds(2), seconds(1), 127),
        ),
        (
            given(Duration::MAX, seconds(32_768), u32::MAX),
            (seconds(32_767), seconds(32_767), 127),
        ),
    ] {
        assert_eq!(probes(options).await, [expected; 2]);
    }
}

#[cfg(target_os = "linux")]
async fn probes(options: SocketOptions) -> [(Duration, Duration, u32); 2] {
    let streams = joined(options).await;
    streams.each_ref().map(|stream| {
        let socket = SockRef::from(stream);
        (
            socket.tcp_keepalive_time().unwrap(),
            socket.tcp_keepalive_interval().unwrap(),
            socket.tcp_keepalive_retries().unwrap(),
        )
    })
}

/// Linux doubles what it is given, for its own records.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn kernel_buffers_are_as_the_options_say() {
    let options = SocketOptions::new()
        .send_buffer_size(NonZeroUsize::new(30_000))
        .recv_buffer_size(NonZeroUsize::new(20_000));
    for stream in joined(options).await {
        let socket = SockRef::from(&stream);
        assert_eq!(socket.send_buffer_size().unwrap(), 60_000);
        assert_eq!(socket.recv_buffer_size().unwrap(), 40_000);
    }
    // The kernel lowers what is too much.
    let options = SocketOptions::new().send_buffer_size(NonZeroUsize::new(usize::MAX));
    for stream in joined(options).await {
        let size = SockRef::from(&stream).send_buffer_size().unwrap();
        assert!(size > 60_000, "{size}");
    }
}

#[tokio::test]
async fn the_type_of_service_is_as_the_option_says() {
    for stream in joined(SocketOptions::new()).await {
        assert_eq!(SockRef::from(&stream).tos_v4().unwrap(), 0);
    }
    for stream in joined(SocketOptions::new().type_of_service(0xb8)).await {
        assert_eq!(SockRef::from(&stream).tos_v4().unwrap(), 0xb8);
    }
}

/// The sockets of IPv6 need no connection for this, but a kernel that has it.
#[cfg(unix)]
#[tokio::test]
async fn ipv6_has_a_traffic_class_and_carries_ipv4_with_the_same() {
    let Ok(socket) = TcpSocket::new_v6() else {
        return skip("IPv6, which the kernel does not have");
    };
    let kernel = SocketOptions::new().type_of_service(0xb8).kernel;
    kernel.prepare_tcp(&SockRef::from(&socket), true).unwrap();
    assert_eq!(SockRef::from(&socket).tclass_v6().unwrap(), 0xb8);
    #[cfg(target_os = "linux")]
    assert_eq!(SockRef::from(&socket).tos_v4().unwrap(), 0xb8);
}

#[tokio::test]
async fn nothing_waits_to_be_gathered_into_larger_packets() {
    for stream in joined(SocketOptions::new()).await {
        assert!(SockRef::from(&stream).tcp_nodelay().unwrap());
    }
}

/// An address in use is an error, even if the name has another address that is not.
#[tokio::test]
async fn bind_does_not_pass_over_an_address_in_use() {
    let kernel = SocketOptions::new().kernel;
    let taken = bind("tcp://127.0.0.1:*", kernel).await.unwrap();
    let taken = taken.endpoint().to_string();
    let port = taken.rsplit(':').next().unwrap();
    let error = bind(&format!("tcp://localhost:{port}"), kernel).await;
    assert_eq!(error.err().unwrap().kind(), io::ErrorKind::AddrInUse);
}

/// The interface of the loopback has two addresses where there is IPv6: the first that is not good does not hide the
/// second.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_address_that_does_not_answer_is_passed_over_next_time() {
    let kernel = SocketOptions::new().ipv6().kernel;
    let addresses = resolve(&SystemResolver, &address("tcp://lo:*").target, true)
        .await
        .unwrap();
    let [first, second] = addresses[..] else {
        return skip(&format!("two addresses of one name: lo has {addresses:?}"));
    };
    // Nobody accepts here, so it soon does not answer any more.
    let deaf = socket_for(first, &kernel).unwrap();
    deaf.bind(first).unwrap();
    let deaf = deaf.listen(0).unwrap();
    let port = deaf.local_addr().unwrap().port();
    let mut pending = Vec::new();
    while let Ok(stream) = timeout(
        Duration::from_millis(100),
        TcpStream::connect(deaf.local_addr().unwrap()),
    )
    .await
    {
        pending.push(stream.unwrap());
        assert!(pending.len() < 100, "its backlog has no end");
    }
    let _answers = listen((second.ip(), port).into(), 100, &kernel).unwrap();

    let dialer = dialer(&format!("tcp://lo:{port}"), kernel);
    let given_up = timeout(Duration::from_millis(100), dialer.dial()).await;
    assert!(given_up.is_err());
    for _ in 0..2 {
        let (_stream, remote) = timeout(SOON, dialer.dial()).await.unwrap().unwrap();
        assert_eq!(remote.unwrap(), format!("127.0.0.1:{port}"));
    }
}

/// A source without an address of the target's kind is an error, not another source.
#[tokio::test]
async fn a_source_of_the_other_kind_is_refused() {
    let kernel = SocketOptions::new().kernel;
    let listener = bind("tcp://127.0.0.1:*", kernel).await.unwrap();
    let target = listener.endpoint().to_string().replace("tcp://", "");
    let dialer = dialer(&format!("tcp://[::1]:*;{target}"), kernel);
    let error = timeout(SOON, dialer.dial()).await.unwrap().unwrap_err();
    assert!(
        matches!(&error, DialError::Io(error) if error.kind() == io::ErrorKind::AddrNotAvailable),
        "{error:?}"
    );
}

/// Q14: a client can be connected to its own port while its server is away. The kernel lets it; we do not.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_to_oneself_is_none() {
    let kernel = SocketOptions::new().kernel;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap();
    drop(free);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(port).unwrap();
    let alone = timeout(SOON, socket.connect(port)).await.unwrap().unwrap();
    assert_eq!(alone.local_addr().unwrap(), alone.peer_addr().unwrap());
    // The next has the port without waiting for the kernel to forget this one.
    SockRef::from(&alone)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(alone);

    let dialer = dialer(&format!("tcp://{port};{port}"), kernel);
    let error = timeout(SOON, dialer.dial()).await.unwrap().unwrap_err();
    assert!(
        matches!(&error, DialError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused),
        "{error:?}"
    );
}

/// A resolver that gives these answers in turn, the last for ever.
struct Answers(std::sync::Mutex<Vec<Vec<SocketAddr>>>);

impl Resolver for Answers {
    async fn lookup(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!((name, port), ("broker.example", 5555));
        let mut answers = self.0.lock().unwrap();
        let answer = answers.last().cloned().unwrap();
        if answers.len() > 1 {
            answers.pop();
        }
        if answer.is_empty() {
            return Err(io::Error::other("no such host"));
        }
        Ok(answer)
    }
}

fn names(mut answers: Vec<Vec<SocketAddr>>) -> TcpDialer<Answers> {
    answers.reverse();
    TcpDialer {
        address: address("tcp://broker.example:5555"),
        kernel: SocketOptions::new().kernel,
        resolver: Answers(std::sync::Mutex::new(answers)),
        next: AtomicUsize::new(0),
    }
}

async fn socket_address() -> (tokio::net::TcpListener, SocketAddr) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Q13: all addresses of a name are tried before the try counts as failed, and a name without any is told apart.
#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    let (gone, refused) = socket_address().await;
    drop(gone);
    let (_listener, good) = socket_address().await;
    let dialer = names(vec![vec![refused, good], vec![], vec![refused]]);
    let (_stream, remote) = timeout(SOON, dialer.dial()).await.unwrap().unwrap();
    assert_eq!(remote.unwrap(), good.to_string());
    let unresolved = timeout(SOON, dialer.dial()).await.unwrap().unwrap_err();
    assert!(
        matches!(unresolved, DialError::Unresolved(_)),
        "{unresolved:?}"
    );
    let failed = timeout(SOON, dialer.dial()).await.unwrap().unwrap_err();
    assert!(
        matches!(&failed, DialError::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused),
        "{failed:?}"
    );
}

/// Q13: a name is resolved again at each try: a broker that has moved is found.
#[tokio::test]
async fn a_name_that_changes_its_address_is_followed() {
    use crate::{DisconnectReason, FailureClass, Linger, PullSocket, SocketEvent, SocketType};

    let (first, second) = (PullSocket::new().unwrap(), PullSocket::new().unwrap());
    let mut addresses = Vec::new();
    for socket in [&first, &second] {
        let endpoint = socket.bind("tcp://127.0.0.1:*").await.unwrap();
        addresses.push(vec![address(&endpoint.to_string()).target]);
    }
    let address_of = |target: &HostPort| match &target.host {
        crate::endpoint::Host::Ip(ip) => SocketAddr::new(*ip, target.port),
        other => panic!("{other:?}"),
    };
    let answers = addresses.iter().map(|all| vec![address_of(&all[0])]);
    let mut answers: Vec<_> = answers.collect();
    // The name is gone for a while.
    answers.insert(1, vec![]);

    let options = SocketOptions::new().reconnect_interval_max(Duration::from_millis(1));
    let core = crate::socket::core::Core::new(SocketType::Push, options).unwrap();
    let mut monitor = core.events.subscribe();
    let endpoint = "tcp://broker.example:5555".parse().unwrap();
    core.dial(endpoint, None, names(answers)).unwrap();
    core.outbox.try_send(&"to the first".into()).unwrap();
    assert_eq!(first.recv().await.unwrap()[0], "to the first");
    let _unsent = first.close_with(Linger::Discard).await;
    let mut failures = Vec::new();
    loop {
        match timeout(SOON, monitor.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
        {
            SocketEvent::Retrying { failure, .. } => failures.push(failure),
            SocketEvent::Connected { peer } if !failures.is_empty() => {
                let remote = peer.remote_address().unwrap();
                assert_eq!(remote, address_of(&addresses[1][0]).to_string());
                break;
            }
            _ => {}
        }
    }
    assert_eq!(failures[0], DisconnectReason::ClosedByPeer.into());
    assert_eq!(failures[1].class(), FailureClass::Unresolved);
    core.outbox.try_send(&"to the second".into()).unwrap();
    assert_eq!(second.recv().await.unwrap()[0], "to the second");
}
