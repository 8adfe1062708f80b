//! K20, conflation, with peers that keep the last frame: messages of one.

use privateer_core::{
    Conflate, PubSocket, PullSocket, PushSocket, SocketOptions, SocketType, SubSocket,
};
use privateer_interop::{Foreign, Library, Role, connected, message, soon, until};

const MANY: u64 = 100;

fn last() -> SocketOptions {
    SocketOptions::new().conflate(Conflate::Last)
}

/// K20: of what waits for one of theirs, it gets the last.
#[tokio::test]
async fn theirs_get_our_last_message() {
    for library in Library::all() {
        let theirs = library.socket(SocketType::Pull);
        let endpoint = theirs.attach(Role::Bind, "tcp://127.0.0.1:*").await;
        let push = PushSocket::with_options(last()).unwrap();
        let mut monitor = push.monitor();
        push.connect(&*endpoint).unwrap();
        connected(&mut monitor).await;
        // The session has no turn meanwhile.
        for i in 0..MANY {
            push.try_send(i.to_string()).unwrap();
        }
        assert_eq!(theirs.recv().await, message(["99"]));
        push.send("end").await.unwrap();
        assert_eq!(theirs.recv().await, message(["end"]));

        let theirs = library.socket(SocketType::Sub);
        let publisher = PubSocket::with_options(last()).unwrap();
        let endpoint = publisher.bind("tcp://127.0.0.1:*").await.unwrap();
        theirs.attach(Role::Connect, &endpoint.to_string()).await;
        theirs.subscribe(SocketType::Sub, b"").await;
        theirs.attend(publisher.wait_for("", 1)).await;
        for i in 0..MANY {
            publisher.try_send(i.to_string()).unwrap();
        }
        assert_eq!(theirs.recv().await, message(["99"]));
        assert_eq!(publisher.stats().conflated, MANY - 1);
    }
}

/// K20: of what came from theirs, the last is received.
#[tokio::test]
async fn we_get_their_last_message() {
    for library in Library::all() {
        let theirs = library.socket(SocketType::Push);
        let pull = PullSocket::with_options(last()).unwrap();
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap().to_string();
        theirs.attach(Role::Connect, &endpoint).await;
        flood(&theirs).await;
        until(|| pull.stats().received == MANY).await;
        assert_eq!(soon(pull.recv()).await.unwrap(), message(["99"]));
        assert!(pull.try_recv().is_err());

        let theirs = library.socket(SocketType::Xpub);
        let subscriber = SubSocket::with_options(last()).unwrap();
        subscriber.subscribe("").unwrap();
        let endpoint = theirs.attach(Role::Bind, "tcp://127.0.0.1:*").await;
        subscriber.connect(&*endpoint).unwrap();
        assert_eq!(theirs.recv().await, message([b"\x01"]));
        flood(&theirs).await;
        until(|| subscriber.stats().received == MANY).await;
        assert_eq!(soon(subscriber.recv()).await.unwrap(), message(["99"]));
        assert!(subscriber.try_recv().is_err());
    }
}

/// K20: theirs conflate, too; what they hand out is in order and ends with the last.
#[tokio::test]
async fn theirs_conflate_what_we_send() {
    for library in Library::all() {
        let theirs = library.socket(SocketType::Pull);
        match &theirs {
            Foreign::Libzmq(socket) => {
                socket
                    .run(|socket| socket.set_conflate(true).unwrap())
                    .await;
            }
            Foreign::Pyzmq(socket) => socket.set("CONFLATE", 1).await,
        }
        let endpoint = theirs.attach(Role::Bind, "tcp://127.0.0.1:*").await;
        let push = PushSocket::new().unwrap();
        push.connect(&*endpoint).unwrap();
        for i in 0..MANY {
            push.send(i.to_string()).await.unwrap();
        }
        let mut before = None;
        while before != Some(MANY - 1) {
            let received = theirs.recv().await;
            let number = std::str::from_utf8(&received[0]).unwrap().parse().ok();
            assert!(number > before);
            before = number;
        }
    }
}

async fn flood(theirs: &Foreign) {
    for i in 0..MANY {
        theirs.send([i.to_string()]).await;
    }
}
