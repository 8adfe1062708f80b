//! What a peer with too many topics means to the others.

use super::support::raw_peer::{RawPeer, command};
use super::*;

/// The end of a peer that passed its limits ends what it had begun, and nothing that another peer has.
#[tokio::test]
async fn a_peer_that_passes_its_limit_ends_no_subscription_of_another() {
    for verbosity in [Verbosity::Changes, Verbosity::All] {
        let limit = NonZeroUsize::new(1);
        let publisher = Publisher::bind(Transport::Tcp, verbose(verbosity).max_topics(limit)).await;
        let sub = publisher.sub().await;
        sub.subscribe("A").unwrap();
        publisher.hears("\u{1}A").await;
        let mut watch = publisher.xpub.watch();
        let mut greedy = RawPeer::connect_as(&publisher.endpoint, "SUB").await;
        greedy.send(&command("SUBSCRIBE", b"B")).await;
        publisher.hears("\u{1}B").await;
        greedy.send(&command("SUBSCRIBE", b"A")).await;
        greedy.expect_end().await;
        watch.disconnected().await;
        publisher.hears("\0B").await;
        assert_eq!(publisher.xpub.try_recv(), Err(RecvError::Empty));
        assert_eq!(publisher.xpub.topics_count(), 1);
        publish(&publisher, &["A"], &[(&sub, &["A"])]).await;
        sub.unsubscribe("A");
        publisher.hears("\0A").await;
    }
}
