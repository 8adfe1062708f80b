//! The collector, with foreign publishers and pushers on one endpoint.

use privateer_core::{CollectorSocket, SocketType};
use privateer_interop::{Library, Role, message, soon, until};

/// Their PUB and XPUB take it for a SUB, their PUSH for a PULL.
#[tokio::test]
async fn theirs_of_both_kinds_send_to_one_endpoint() {
    for library in Library::all() {
        let collector = CollectorSocket::new().unwrap();
        collector.subscribe("yes").unwrap();
        let endpoint = collector.bind("tcp://127.0.0.1:*").await.unwrap();
        let push = library.socket(SocketType::Push);
        push.attach(Role::Connect, &endpoint.to_string()).await;
        push.send(["no", "body"]).await;
        let received = soon(collector.recv()).await.unwrap();
        assert_eq!(received, message(["no", "body"]));

        let xpub = library.socket(SocketType::Xpub);
        xpub.attach(Role::Connect, &endpoint.to_string()).await;
        assert_eq!(xpub.recv().await, message(["\u{1}yes"]));
        let publisher = library.socket(SocketType::Pub);
        publisher.attach(Role::Connect, &endpoint.to_string()).await;
        until(|| collector.peers().len() == 3).await;
        // A PUB tells nobody that it has heard.
        publisher.attend(collector.subscribed(2)).await;
        for theirs in [&xpub, &publisher] {
            theirs.send(["no"]).await;
            theirs.send(["yes", "body"]).await;
            let received = soon(collector.recv()).await.unwrap();
            assert_eq!(received, message(["yes", "body"]));
        }
        collector.unsubscribe("yes");
        assert_eq!(xpub.recv().await, message(["\u{0}yes"]));
    }
}

/// And when it is the one that connects.
#[tokio::test]
async fn it_connects_to_theirs_of_both_kinds() {
    for library in Library::all() {
        let collector = CollectorSocket::new().unwrap();
        collector.subscribe("").unwrap();
        let push = library.socket(SocketType::Push);
        let endpoint = push.attach(Role::Bind, "tcp://127.0.0.1:*").await;
        collector.connect(&*endpoint).unwrap();
        push.send(["pushed"]).await;
        let received = soon(collector.recv()).await.unwrap();
        assert_eq!(received, message(["pushed"]));

        let publisher = library.socket(SocketType::Pub);
        let endpoint = publisher.attach(Role::Bind, "tcp://127.0.0.1:*").await;
        collector.connect(&*endpoint).unwrap();
        publisher.attend(collector.subscribed(1)).await;
        publisher.send(["published"]).await;
        let received = soon(collector.recv()).await.unwrap();
        assert_eq!(received, message(["published"]));
    }
}
