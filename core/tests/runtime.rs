//! A runtime that lacks what sockets need is an error where it can be returned, and no panic in the background.

use std::num::NonZeroUsize;

use privateer_core::{
    BindError, ConnectError, DealerSocket, NoRuntime, PullSocket, PushSocket, RouterSocket,
    SocketOptions,
};
use tokio::runtime::Builder;

#[test]
fn outside_a_runtime_there_is_no_socket() {
    assert_eq!(PushSocket::new().unwrap_err(), NoRuntime::Absent);
}

#[test]
fn without_a_timer_there_is_no_socket() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(async { PushSocket::new().unwrap_err() });
    assert_eq!(error, NoRuntime::WithoutTimer);
    let options = SocketOptions::new().runtime(runtime.handle().clone());
    let error = PushSocket::with_options(options).unwrap_err();
    assert_eq!(error, NoRuntime::WithoutTimer);
}

/// What needs no I/O works; what needs it fails.
#[test]
fn without_io_there_is_no_network() {
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (router, dealer) = (RouterSocket::new().unwrap(), DealerSocket::new().unwrap());
        for endpoint in ["inproc://without-io", "memory://without-io"] {
            router.bind(endpoint).await.unwrap();
            dealer.connect(endpoint).unwrap();
            dealer.send("hello").await.unwrap();
            assert_eq!(router.recv().await.unwrap().1[0], "hello");
            let _report = dealer.disconnect(endpoint).await.unwrap();
        }
        let mut endpoints = vec!["tcp://127.0.0.1:*"];
        if cfg!(unix) {
            endpoints.push("ipc://*");
        }
        for endpoint in endpoints {
            let error = router.bind(endpoint).await.unwrap_err();
            assert!(matches!(error, BindError::NoIo), "{error:?}");
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = router.bind_listener(listener).await.unwrap_err();
        assert!(matches!(error, BindError::NoIo), "{error:?}");
        let error = dealer.connect("tcp://127.0.0.1:5555").unwrap_err();
        assert_eq!(error, ConnectError::NoIo);
        assert_eq!(router.close().await.unsent, 0);
        assert_eq!(dealer.close().await.unsent, 0);
    });
}

/// A socket may be made anywhere if it is told of a runtime elsewhere.
#[test]
fn the_runtime_may_be_another() {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .worker_threads(1)
        .build()
        .unwrap();
    let options = || {
        SocketOptions::new()
            .runtime(runtime.handle().clone())
            .send_hwm(NonZeroUsize::new(1))
    };
    let pull = PullSocket::with_options(options()).unwrap();
    let push = PushSocket::with_options(options()).unwrap();
    // A runtime of the caller that has neither.
    let bare = Builder::new_current_thread().build().unwrap();
    bare.block_on(async {
        let endpoint = pull.bind("tcp://127.0.0.1:*").await.unwrap();
        push.connect(&endpoint).unwrap();
        // Most find the pipe full, and let its session work here.
        for _ in 0..100 {
            push.send("hello").await.unwrap();
        }
        for _ in 0..100 {
            assert_eq!(pull.recv().await.unwrap()[0], "hello");
        }
        assert_eq!(push.close().await.unsent, 0);
        assert_eq!(pull.close().await.unsent, 0);
    });
}
