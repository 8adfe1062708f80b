//! Proxies: ours between foreign clients and workers, in a chain with libzmq's, and steered by foreign programs (R09).

use std::sync::Arc;

use privateer_core::{
    DealerSocket, Frame, Message, PairSocket, Proxy, ProxyEnd, ProxyHandle, ProxyReport,
    PullSocket, PushSocket, RepSocket, RouterSocket, SocketType,
};
use privateer_interop::{Library, Program, Python, Pyzmq, Role, body, message, soon, until};
use tokio::task::JoinHandle;

type Report = ProxyReport<Arc<RouterSocket>, Arc<DealerSocket>>;

/// A queue of ours that runs.
struct Queue {
    frontend: Arc<RouterSocket>,
    backend: Arc<DealerSocket>,
    handle: ProxyHandle,
    running: JoinHandle<Report>,
}

impl Queue {
    fn start() -> Self {
        Self::with(|proxy| proxy)
    }

    fn with(
        change: impl FnOnce(
            Proxy<Arc<RouterSocket>, Arc<DealerSocket>>,
        ) -> Proxy<Arc<RouterSocket>, Arc<DealerSocket>>,
    ) -> Self {
        let frontend = Arc::new(RouterSocket::new().unwrap());
        let backend = Arc::new(DealerSocket::new().unwrap());
        let proxy = change(Proxy::router_dealer(
            Arc::clone(&frontend),
            Arc::clone(&backend),
        ));
        let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
        Self {
            frontend,
            backend,
            handle,
            running,
        }
    }

    /// Binds both sides; returns where clients and workers connect to.
    async fn bind(&self) -> (String, String) {
        let clients = self.frontend.bind("tcp://127.0.0.1:*").await.unwrap();
        let workers = self.backend.bind("tcp://127.0.0.1:*").await.unwrap();
        (clients.to_string(), workers.to_string())
    }

    async fn stop(self) -> Report {
        self.handle.stop();
        soon(self.running).await.unwrap()
    }
}

/// Who is on both sides: clients and workers of each library, whoever of the two connects.
#[tokio::test]
async fn foreign_clients_and_workers_talk_through_our_queue() {
    for library in Library::all() {
        for role in [Role::Bind, Role::Connect] {
            let queue = Queue::start();
            let mut clients = Vec::new();
            for _ in 0..3 {
                clients.push(library.socket(SocketType::Req));
            }
            let workers = [
                library.socket(SocketType::Rep),
                library.socket(SocketType::Rep),
            ];
            if role == Role::Connect {
                let (front, back) = queue.bind().await;
                for client in &clients {
                    client.attach(role, &front).await;
                }
                for worker in &workers {
                    worker.attach(role, &back).await;
                }
            } else {
                for client in &clients {
                    let endpoint = client.attach(role, "tcp://127.0.0.1:*").await;
                    queue.frontend.connect(&*endpoint).unwrap();
                }
                for worker in &workers {
                    let endpoint = worker.attach(role, "tcp://127.0.0.1:*").await;
                    queue.backend.connect(&*endpoint).unwrap();
                }
            }
            for worker in &workers {
                worker.echo(None).await;
            }
            for round in 0..20 {
                for (number, client) in clients.iter().enumerate() {
                    let question = [number.to_string(), String::new(), round.to_string()];
                    client.send(&question).await;
                    assert_eq!(client.recv().await, message(&question), "{library:?}");
                }
            }
            let stats = queue.stop().await.stats;
            assert_eq!((stats.frontend.sent.messages, stats.dropped), (60, 0));
        }
    }
}

/// Work goes one way, large messages and all.
#[tokio::test]
async fn foreign_ventilators_and_workers_work_through_our_streamer() {
    for library in Library::all() {
        let (frontend, backend) = (PullSocket::new().unwrap(), PushSocket::new().unwrap());
        let front = frontend
            .bind("tcp://127.0.0.1:*")
            .await
            .unwrap()
            .to_string();
        let back = backend.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
        let proxy = Proxy::pull_push(frontend, backend);
        let (handle, running) = (proxy.handle(), tokio::spawn(proxy.run()));
        let (push, pull) = (
            library.socket(SocketType::Push),
            library.socket(SocketType::Pull),
        );
        push.attach(Role::Connect, &front).await;
        pull.attach(Role::Connect, &back).await;
        for size in [0, 1, 255, 256, 8_193, 40_000, 200_000] {
            let text: String = body(size)
                .into_iter()
                .map(|byte| char::from(byte % 128))
                .collect();
            push.send(["", &text, "end"]).await;
            assert_eq!(
                pull.recv().await,
                message(["", &text, "end"]),
                "{library:?}"
            );
        }
        handle.stop();
        assert_eq!(soon(running).await.unwrap().end, ProxyEnd::Stopped);
    }
}

/// §4.4: a chain of our proxy and libzmq's, in either order, keeps all routing ids.
#[tokio::test]
async fn our_proxy_and_libzmqs_make_a_chain() {
    let Some(python) = Python::ready() else {
        return;
    };
    for ours_first in [true, false] {
        let mut theirs = Program::start(&python, "proxy.py", &[]);
        let (front, back) = (theirs.listening().await, theirs.listening().await);
        let queue = Queue::start();
        let (our_front, our_back) = queue.bind().await;
        let (clients, workers) = if ours_first {
            queue.backend.connect(&*front).unwrap();
            (our_front, back)
        } else {
            queue.frontend.connect(&*back).unwrap();
            (front, our_back)
        };
        let (req, dealer) = (
            Pyzmq::new(&python, SocketType::Req),
            Pyzmq::new(&python, SocketType::Dealer),
        );
        req.set("ROUTING_ID", "the client").await;
        req.connect(&clients).await;
        dealer.connect(&workers).await;
        req.send(["question", ""]).await;
        let request = dealer.recv().await;
        assert_eq!(request.len(), 5);
        assert_eq!((request[0].len(), &*request[1]), (5, &b"the client"[..]));
        assert_eq!(
            request.frames()[2..],
            *message(["", "question", ""]).frames()
        );
        dealer.send(request.frames()).await;
        assert_eq!(req.recv().await, message(["question", ""]));
        assert_eq!(queue.stop().await.stats.dropped, 0);
    }
}

/// A program on pyzmq steers our proxy over REP, and reads the statistics that libzmq's own proxy gives for the same.
#[tokio::test]
async fn a_foreign_program_steers_our_proxy_and_reads_libzmqs_numbers() {
    let Some(python) = Python::ready() else {
        return;
    };
    let control = RepSocket::new().unwrap();
    let steer = control.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
    let queue = Queue::with(|proxy| proxy.control(control));
    let (front, back) = queue.bind().await;
    let ours = Steered::new(&python, [&front, &back, &steer]).await;

    let mut program = Program::start(&python, "proxy.py", &[]);
    let mut endpoints = Vec::new();
    for _ in 0..3 {
        endpoints.push(program.listening().await);
    }
    let theirs = Steered::new(&python, [&endpoints[0], &endpoints[1], &endpoints[2]]).await;

    let nothing = Message::from(Frame::empty());
    for steered in [&ours, &theirs] {
        steered.talk().await;
        assert_eq!(steered.ask("LUNCH").await, nothing);
    }
    let numbers = [&ours, &theirs].map(|steered| steered.ask("STATISTICS"));
    let [ours_said, theirs_said] = numbers;
    let (ours_said, theirs_said) = (ours_said.await, theirs_said.await);
    assert_eq!(ours_said.len(), 8);
    assert_eq!(ours_said, theirs_said);

    // libzmq 4.3.5 does the opposite of these two, so there is nothing to compare with.
    assert_eq!(ours.ask("PAUSE").await, nothing);
    let paused = ours.ask("STATISTICS").await;
    ours.client.send(["while it is paused"]).await;
    until(|| queue.frontend.stats().received == 4).await;
    assert_eq!(ours.ask("STATISTICS").await, paused);
    assert_eq!(ours.ask("RESUME").await, nothing);
    assert_eq!(ours.worker.recv().await, message(["while it is paused"]));

    assert_eq!(ours.ask("TERMINATE").await, nothing);
    assert_eq!(theirs.ask("TERMINATE").await, nothing);
    assert_eq!(soon(queue.running).await.unwrap().end, ProxyEnd::Terminated);
}

/// The same over PAIR, where only the statistics are an answer.
#[tokio::test]
async fn a_foreign_program_steers_our_proxy_over_pair() {
    for library in Library::all() {
        let control = PairSocket::new().unwrap();
        let steer = control.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
        let queue = Queue::with(|proxy| proxy.control(control));
        let pair = library.socket(SocketType::Pair);
        pair.attach(Role::Connect, &steer).await;
        for command in ["PAUSE", "STATISTICS", "RESUME", "STATISTICS"] {
            pair.send([command]).await;
        }
        for _ in 0..2 {
            let numbers = [0_u64; 8].map(|number| Frame::from(number.to_ne_bytes()));
            assert_eq!(pair.recv().await, Message::from(numbers), "{library:?}");
        }
        pair.send(["TERMINATE"]).await;
        assert_eq!(soon(queue.running).await.unwrap().end, ProxyEnd::Terminated);
    }
}

/// A proxy of whichever make, with a client, a worker, and a program that steers it.
struct Steered {
    client: Pyzmq,
    worker: Pyzmq,
    program: Pyzmq,
}

impl Steered {
    async fn new(python: &Python, [front, back, control]: [&str; 3]) -> Self {
        let kinds = [SocketType::Req, SocketType::Rep, SocketType::Req];
        let [client, worker, program] = kinds.map(|kind| Pyzmq::new(python, kind));
        client.connect(front).await;
        worker.connect(back).await;
        program.connect(control).await;
        Self {
            client,
            worker,
            program,
        }
    }

    /// Three requests, each with a reply that is longer.
    async fn talk(&self) {
        for text in ["", "a", "question"] {
            self.client.send([text, "x"]).await;
            self.worker.recv().await;
            self.worker.send([text, "y", "z"]).await;
            self.client.recv().await;
        }
    }

    async fn ask(&self, command: &str) -> Message {
        self.program.send([command]).await;
        self.program.recv().await
    }
}
