//! Whom messages go to, and what happens to them when connections end.

use super::*;
use crate::{Context, PubSocket, SocketEvent, SocketOptions, SubSocket, XpubSocket, XsubSocket};

/// What goes to all goes to them in the order in which they came, every time.
#[tokio::test]
async fn all_are_in_the_order_in_which_they_came() {
    const PEERS: u32 = 20;
    let xsub = XsubSocket::new().unwrap();
    xsub.bind("inproc://in-order").await.unwrap();
    let publishers = [(); PEERS as usize].map(|()| XpubSocket::new().unwrap());
    for publisher in &publishers {
        publisher.connect("inproc://in-order").unwrap();
    }
    let mut chosen = Vec::new();
    let mut subscribers = xsub.core.fan_out.subscribers.lock();
    subscribers.choose(To::All, None, &Message::from(""), &mut chosen);
    assert!(chosen.into_iter().eq(0..PEERS));
    assert!(xsub.core.links().is_sorted_by_key(|link| link.id));
}

/// What was sent before writing failed is counted as lost with the connection, also what was in no pipe yet.
#[tokio::test]
async fn a_batch_is_counted_though_writing_has_failed() {
    const MESSAGES: u64 = 10;
    let context = Context::new();
    let publisher = PubSocket::with_options(context.socket_options()).unwrap();
    publisher.bind("memory://failing").await.unwrap();
    let options = SocketOptions::new().context(&context);
    let subscribers = [options.clone(), options].map(SubSocket::with_options);
    for subscriber in &subscribers {
        let subscriber = subscriber.as_ref().unwrap();
        subscriber.connect("memory://failing").unwrap();
        subscriber.subscribe("").unwrap();
    }
    publisher.wait_for("", 2).await;
    let mut monitor = publisher.monitor();
    for _ in 0..MESSAGES {
        publisher.try_send("a batch of small ones").unwrap();
    }
    let peer = publisher.peers().remove(0);
    peer.0.refuse_more();
    publisher.disconnect_peer(&peer).unwrap();
    loop {
        let event = monitor.next().await.unwrap().unwrap();
        if let SocketEvent::Disconnected { .. } = event {
            break;
        }
    }
    let stats = publisher.stats();
    assert_eq!(stats.sent, 2 * MESSAGES);
    assert_eq!(stats.dropped_connection_lost, MESSAGES);
}
