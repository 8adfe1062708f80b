//! [`Libzmq`]: a libzmq socket on a thread of its own, which does the jobs that it is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use privateer_core::{Message, SocketType};
use tokio::sync::oneshot;

use crate::wait::{DEADLINE, soon};

/// How often an echo looks whether it is to end.
const LOOK: Duration = Duration::from_millis(50);

type Job = Box<dyn FnOnce(&zmq::Socket) + Send>;

/// A libzmq socket on a thread of its own; the thread and the socket end when this is dropped.
///
/// Its linger is zero; sending and receiving fail after [`DEADLINE`].
#[derive(Debug)]
pub struct Libzmq {
    jobs: mpsc::Sender<Job>,
    ended: Arc<AtomicBool>,
}

impl Libzmq {
    /// A socket of this type, with a libzmq context of its own.
    #[must_use]
    pub fn new(kind: SocketType) -> Self {
        let (jobs, given) = mpsc::channel::<Job>();
        thread::spawn(move || {
            let socket = socket(&zmq::Context::new(), kind);
            for job in given {
                job(&socket);
            }
        });
        Self {
            jobs,
            ended: Arc::default(),
        }
    }

    /// Does something with the socket.
    #[track_caller]
    pub fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&zmq::Socket) -> T + Send + 'static,
    ) -> impl Future<Output = T> {
        let (done, result) = oneshot::channel();
        // Where nobody waits for the result any more, the test has ended.
        let job = move |socket: &zmq::Socket| drop(done.send(job(socket)));
        self.jobs.send(Box::new(job)).unwrap();
        let result = soon(result);
        async { result.await.unwrap() }
    }

    /// Binds, and returns the resolved endpoint.
    pub async fn bind(&self, endpoint: &str) -> String {
        let endpoint = endpoint.to_owned();
        self.run(move |socket| bind(socket, &endpoint)).await
    }

    /// Connects.
    pub async fn connect(&self, endpoint: &str) {
        let endpoint = endpoint.to_owned();
        self.run(move |socket| socket.connect(&endpoint))
            .await
            .unwrap();
    }

    /// Lets it take notice of what came, as every call does that sends or receives.
    pub async fn look(&self) {
        self.run(|socket| socket.get_events()).await.unwrap();
    }

    /// Sends a message.
    pub async fn send<F: AsRef<[u8]>>(&self, frames: impl IntoIterator<Item = F>) {
        let frames: Vec<Vec<u8>> = frames
            .into_iter()
            .map(|frame| frame.as_ref().into())
            .collect();
        self.run(move |socket| socket.send_multipart(frames, 0))
            .await
            .unwrap();
    }

    /// The next message, which has to come.
    pub async fn recv(&self) -> Message {
        crate::message(self.run(|socket| socket.recv_multipart(0)).await.unwrap())
    }

    /// Makes a PUSH socket beside this PULL, and sends there whatever comes, until this is dropped.
    pub async fn forward(&self, role: crate::Role, endpoint: &str) -> String {
        let push = socket(&zmq::Context::new(), SocketType::Push);
        let endpoint = match role {
            crate::Role::Bind => bind(&push, endpoint),
            crate::Role::Connect => {
                push.connect(endpoint).unwrap();
                endpoint.to_owned()
            }
        };
        self.pass(Some(push));
        endpoint
    }

    /// Sends `first`, if there is one, and then back whatever comes, until this is dropped.
    pub async fn echo(&self, first: Option<&[&str]>) {
        if let Some(first) = first {
            self.send(first).await;
        }
        self.pass(None);
    }

    /// Sends whatever comes to `onward`, or back.
    fn pass(&self, onward: Option<zmq::Socket>) {
        let ended = Arc::clone(&self.ended);
        let job = move |socket: &zmq::Socket| {
            let target = onward.as_ref().unwrap_or(socket);
            socket.set_rcvtimeo(milliseconds(LOOK)).unwrap();
            while !ended.load(Ordering::Relaxed) {
                let message = socket.recv_multipart(0).ok();
                let passed = message.map(|message| target.send_multipart(message, 0));
                passed.transpose().unwrap();
            }
        };
        self.jobs.send(Box::new(job)).unwrap();
    }
}

impl Drop for Libzmq {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

fn socket(context: &zmq::Context, kind: SocketType) -> zmq::Socket {
    let kind = match kind {
        SocketType::Pair => zmq::PAIR,
        SocketType::Pub => zmq::PUB,
        SocketType::Sub => zmq::SUB,
        SocketType::Req => zmq::REQ,
        SocketType::Rep => zmq::REP,
        SocketType::Dealer => zmq::DEALER,
        SocketType::Router => zmq::ROUTER,
        SocketType::Pull => zmq::PULL,
        SocketType::Push => zmq::PUSH,
        SocketType::Xpub => zmq::XPUB,
        SocketType::Xsub => zmq::XSUB,
        unknown => panic!("the zmq crate has no {unknown}"),
    };
    let socket = context.socket(kind).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_rcvtimeo(milliseconds(DEADLINE)).unwrap();
    socket.set_sndtimeo(milliseconds(DEADLINE)).unwrap();
    socket
}

fn bind(socket: &zmq::Socket, endpoint: &str) -> String {
    socket.bind(endpoint).unwrap();
    socket.get_last_endpoint().unwrap().unwrap()
}

fn milliseconds(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap()
}
