//! [`Link`]: a proxy for tcp or ipc whose connections can be delayed, throttled, held back, damaged, doubled, refused, cut.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use privateer::core::Endpoint;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::doubled::Doubled;

/// A link to a server: who connects to it is connected to the server.
///
/// The octets of each direction stay in order and as they are, unless that is asked for. What a link that is dead has not passed on
/// waits in kernels' buffers, as on a cable that is pulled: neither side hears anything, not even that the other closes.
#[derive(Debug)]
pub struct Link {
    endpoint: Endpoint,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// How much later octets come out than they went in.
    delay: Duration,
    /// How many octets a second go in, each way.
    rate: Option<u32>,
    /// New connections end at once.
    refuses: bool,
    /// Connections up to this one are dead: towards the server, and towards the client.
    dead: [u64; 2],
    /// Connections up to this one are damaged, and where.
    damaged: (u64, usize),
    /// How often connections were damaged.
    damages: u64,
    /// Messages come out twice.
    doubles: bool,
    /// Connections up to this one are reset.
    cut: u64,
    /// The number of the last connection.
    last: u64,
}

/// A direction of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What clients send.
    ToServer,
    /// What the server sends.
    ToClient,
}

/// Octets that are on the way, or their end, and when they come out.
type OnTheWay = (Instant, Option<Vec<u8>>);

/// Pieces of at most 16 KiB that a delay holds in each direction, before the sender has to wait.
const PIECES: usize = 1024;

impl Link {
    /// A link to a server at a tcp or ipc endpoint, without a delay. For ipc it is a file beside the server's.
    ///
    /// # Panics
    /// Panics if the endpoint is neither, or there is no free port, or the file is there already.
    pub async fn to(server: &Endpoint) -> Self {
        Self::open(server, false).await
    }

    /// As [`to`](Self::to), but every message comes out twice, in both directions, each once it is whole.
    ///
    /// # Panics
    /// As [`to`](Self::to).
    pub async fn doubling(server: &Endpoint) -> Self {
        Self::open(server, true).await
    }

    async fn open(server: &Endpoint, doubles: bool) -> Self {
        let state = watch::Sender::new(State {
            delay: Duration::ZERO,
            rate: None,
            refuses: false,
            dead: [0; 2],
            damaged: (0, 0),
            damages: 0,
            doubles,
            cut: 0,
            last: 0,
        });
        let server = server.to_string();
        let (endpoint, task) = if let Some(address) = server.strip_prefix("tcp://") {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
            let server: SocketAddr = address.parse().unwrap();
            (
                endpoint,
                tokio::spawn(accept(listener, server, state.clone())),
            )
        } else {
            let server = PathBuf::from(server.strip_prefix("ipc://").unwrap());
            let path = server.with_extension("link");
            let listener = UnixListener::bind(&path).unwrap();
            let endpoint = format!("ipc://{}", path.display());
            (
                endpoint,
                tokio::spawn(accept(listener, server, state.clone())),
            )
        };
        Self {
            endpoint: endpoint.parse().unwrap(),
            state,
            task,
        }
    }

    /// Where to connect.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint.clone()
    }

    /// From now on octets come out this much later than they went in.
    pub fn delay(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }

    /// From now on at most so many octets a second go in, each way; the others wait with their sender.
    pub fn throttle(&self, octets: u32) {
        self.state.send_modify(|state| state.rate = Some(octets));
    }

    /// All connections that there are pass nothing on any more; new ones do.
    pub fn black_hole(&self) {
        self.state.send_modify(|state| state.dead = [state.last; 2]);
    }

    /// All connections that there are pass nothing on in this direction any more: an asymmetric partition.
    pub fn deafen(&self, direction: Direction) {
        self.state.send_modify(|state| {
            if let Some(dead) = state.dead.get_mut(direction as usize) {
                *dead = state.last;
            }
        });
    }

    /// In each direction of all connections that there are, the octet that comes after so many others is inverted, once.
    pub fn damage(&self, after: usize) {
        self.state.send_modify(|state| {
            state.damaged = (state.last, after);
            state.damages += 1;
        });
    }

    /// From now on new connections end at once.
    pub fn refuse(&self) {
        self.state.send_modify(|state| state.refuses = true);
    }

    /// What is dead lives again, and passes on what waits, nothing is delayed or throttled from now on, and new
    /// connections can be made.
    pub fn heal(&self) {
        self.state.send_modify(|state| {
            state.dead = [0; 2];
            state.refuses = false;
            state.delay = Duration::ZERO;
            state.rate = None;
        });
    }

    /// Resets all connections that there are; new ones can be made.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cut = state.last);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A transport of links.
trait Wire: Sized + Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send;
    type Address: Clone + Send + Sync;

    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    fn connect(to: Self::Address) -> impl Future<Output = io::Result<Self::Stream>> + Send;
    /// From now on the end of the stream is a reset, and what is on the way is lost.
    fn reset(stream: &Self::Stream);
}

impl Wire for TcpListener {
    type Stream = TcpStream;
    type Address = SocketAddr;

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = Self::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect(to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn reset(stream: &TcpStream) {
        let reset = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        reset.unwrap();
    }
}

impl Wire for UnixListener {
    type Stream = UnixStream;
    type Address = PathBuf;

    async fn accept(&self) -> io::Result<UnixStream> {
        Ok(Self::accept(self).await?.0)
    }

    fn connect(to: PathBuf) -> impl Future<Output = io::Result<UnixStream>> + Send {
        UnixStream::connect(to)
    }

    /// What is in the link is lost; there are no resets.
    fn reset(_: &UnixStream) {}
}

async fn accept<W: Wire>(listener: W, server: W::Address, state: watch::Sender<State>) {
    // Dropped with the task, so that no connection outlives the link.
    let mut connections = JoinSet::new();
    while let Ok(client) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if state.borrow().refuses {
            continue;
        }
        let mut number = 0;
        state.send_modify(|state| {
            state.last += 1;
            number = state.last;
        });
        let (server, state) = (server.clone(), state.subscribe());
        connections.spawn(async move {
            // The server may be away; the client sees its connection end.
            if let Ok(server) = W::connect(server).await {
                carry::<W>(client, server, number, state).await;
            }
        });
    }
}

/// Carries octets both ways until both are done, or the connection is cut.
async fn carry<W: Wire>(
    mut client: W::Stream,
    mut server: W::Stream,
    number: u64,
    state: watch::Receiver<State>,
) {
    let (from_client, to_client) = split(&mut client);
    let (from_server, to_server) = split(&mut server);
    let both = async {
        tokio::join!(
            pass(
                from_client,
                to_server,
                (number, Direction::ToServer),
                state.clone()
            ),
            pass(
                from_server,
                to_client,
                (number, Direction::ToClient),
                state.clone()
            ),
        )
    };
    let mut cut = state.clone();
    tokio::select! {
        ((), ()) = both => return,
        // The sender of the state lives as long as this task.
        _ = cut.wait_for(|state| state.cut >= number) => {}
    }
    W::reset(&client);
    W::reset(&server);
}

/// Carries octets one way until their end, each piece as late as the link is when it goes in.
async fn pass<S: AsyncRead + AsyncWrite + Unpin>(
    mut from: ReadHalf<S>,
    mut to: WriteHalf<S>,
    (number, direction): (u64, Direction),
    state: watch::Receiver<State>,
) {
    let (put, mut take) = mpsc::channel::<OnTheWay>(PIECES);
    let delays = state.clone();
    let reading = async move {
        let mut buffer = vec![0; 16 * 1024];
        let mut changes = Changes::new(number, &delays.borrow());
        let mut free = Instant::now();
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            let now = Instant::now();
            let State { delay, rate, .. } = *delays.borrow();
            let octets = changes.apply(&delays.borrow(), &mut buffer[..read]);
            if put.send((now + delay, Some(octets))).await.is_err() {
                return;
            }
            if let (Some(rate), Ok(read)) = (rate, u32::try_from(read)) {
                // Sleeps end late by some milliseconds, which the next ones are shorter by.
                let busy = Duration::from_secs(1) * read / rate;
                free = free.max(now - Duration::from_millis(20)) + busy;
                sleep_until(free).await;
            }
        }
        // The end comes out as late as octets would.
        let due = Instant::now() + delays.borrow().delay;
        let _gone = put.send((due, None)).await;
    };
    let mut alive = state;
    let writing = async move {
        while let Some((due, octets)) = take.recv().await {
            sleep_until(due).await;
            let lives = alive.wait_for(|state| state.dead[direction as usize] < number);
            let lives = lives.await.is_ok();
            let Some(octets) = octets.filter(|_| lives) else {
                break;
            };
            if to.write_all(&octets).await.is_err() {
                break;
            }
        }
        // What was written before is delivered: the other side may still read it.
        let _gone = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

/// What happens to the octets of one direction of a connection.
struct Changes {
    number: u64,
    doubled: Option<Doubled>,
    /// How often it was damaged.
    damages: u64,
    /// After how many octets it is damaged next.
    damage_after: Option<usize>,
}

impl Changes {
    fn new(number: u64, state: &State) -> Self {
        Self {
            number,
            doubled: state.doubles.then(Doubled::default),
            damages: state.damages,
            damage_after: None,
        }
    }

    /// What comes out when this goes in; nothing may, but that is no end.
    fn apply(&mut self, state: &State, octets: &mut [u8]) -> Vec<u8> {
        let (last, after) = state.damaged;
        if std::mem::replace(&mut self.damages, state.damages) != state.damages
            && self.number <= last
        {
            self.damage_after = Some(after);
        }
        if let Some(after) = self.damage_after.take() {
            match octets.get_mut(after) {
                Some(octet) => *octet = !*octet,
                None => self.damage_after = Some(after - octets.len()),
            }
        }
        match &mut self.doubled {
            Some(doubled) => doubled.pass(octets),
            None => octets.to_vec(),
        }
    }
}
