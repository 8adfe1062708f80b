//! `privateer::blocking`: a program of threads, without a runtime.

use std::io::Read;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use privateer::blocking::{BlockingError, run};
use privateer::core::{Message, PushSocket, RepSocket, ReqSocket};

const ANY: &str = "tcp://127.0.0.1:*";
const SOON: Duration = Duration::from_secs(20);

/// R04: sockets are made and used by threads that know no runtime, from several at a time.
#[test]
fn sockets_work_without_a_runtime_of_the_caller() {
    let server = run(async { RepSocket::new() }).unwrap().unwrap();
    let endpoint = run(server.bind(ANY)).unwrap().unwrap();
    let serving = thread::spawn(move || {
        for _ in 0..100 {
            let request = run(server.recv()).unwrap().unwrap();
            run(server.send(request)).unwrap().unwrap();
        }
        run(server.close()).unwrap()
    });
    let clients = [0, 1].map(|client| {
        let endpoint = endpoint.clone();
        thread::spawn(move || {
            let req = run(async { ReqSocket::new() }).unwrap().unwrap();
            req.connect(&endpoint).unwrap();
            for number in 0..50_u8 {
                let request = Message::from([client, number]);
                assert_eq!(run(req.request(request.clone())).unwrap().unwrap(), request);
            }
        })
    });
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(serving.join().unwrap().unsent, 0);
}

/// R04: sockets work while no call is under way: a peer without a runtime gets a greeting.
#[test]
fn sockets_go_on_between_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", listener.local_addr().unwrap());
    let push = run(async { PushSocket::new() }).unwrap().unwrap();
    push.connect(&*endpoint).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    peer.set_read_timeout(Some(SOON)).unwrap();
    let mut signature = [0; 10];
    peer.read_exact(&mut signature).unwrap();
    assert_eq!((signature[0], signature[9]), (0xff, 0x7f));
}

/// R04: inside of a runtime it is an error at once, and no deadlock.
#[test]
fn inside_of_a_runtime_it_is_an_error() {
    for flavor in [
        tokio::runtime::Builder::new_current_thread(),
        tokio::runtime::Builder::new_multi_thread(),
    ] {
        let mut flavor = flavor;
        let runtime = flavor.enable_all().build().unwrap();
        let refused = runtime.block_on(async { run(std::future::pending::<()>()) });
        assert!(matches!(refused, Err(BlockingError::InsideRuntime)));
        let spawned = runtime.spawn(async { run(std::future::pending::<()>()) });
        let refused = runtime.block_on(spawned).unwrap();
        assert!(matches!(refused, Err(BlockingError::InsideRuntime)));
    }
    // From within itself, too.
    let refused = run(async { run(std::future::pending::<()>()) }).unwrap();
    assert!(matches!(refused, Err(BlockingError::InsideRuntime)));
}
