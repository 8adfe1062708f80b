use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{Both, Operation};
use super::*;

fn matching(tree: &Subscriptions, message: &[u8]) -> Vec<Subscriber> {
    let mut found = Vec::new();
    tree.matching(message, |subscriber| found.push(subscriber));
    found
}

/// RFC 29: "match ... a binary comparison of the prefix"; the empty topic matches all, also an empty frame.
#[test]
fn a_message_goes_to_all_whose_topic_it_begins_with() {
    let mut tree = Subscriptions::default();
    for (subscriber, topic) in ["", "A", "AB", "ABC", "B"].into_iter().enumerate() {
        let subscriber = Subscriber::try_from(subscriber).unwrap();
        assert_eq!(tree.insert(topic.as_bytes(), subscriber), Inserted::First);
    }
    assert_eq!(matching(&tree, b""), [0]);
    assert_eq!(matching(&tree, b"A"), [0, 1]);
    assert_eq!(matching(&tree, b"ABCD"), [0, 1, 2, 3]);
    assert_eq!(matching(&tree, b"AC"), [0, 1]);
    assert_eq!(matching(&tree, b"C"), [0]);
}

/// As with libzmq, whose senders repeat a SUBSCRIBE and send one CANCEL in the end.
#[test]
fn a_subscriber_has_a_topic_once() {
    let mut tree = Subscriptions::default();
    assert_eq!(tree.insert(b"A", 1), Inserted::First);
    assert_eq!(tree.insert(b"A", 1), Inserted::Again);
    assert_eq!(tree.insert(b"A", 2), Inserted::Another);
    assert_eq!(tree.held(1), (1, 1));
    assert_eq!(tree.remove(b"A", 1), Removed::OthersRemain);
    assert_eq!(tree.remove(b"A", 1), Removed::Unknown);
    assert_eq!(tree.remove(b"A", 2), Removed::Last);
    assert_eq!((tree.topics(), tree.held(2)), (0, (0, 0)));
}

/// W21: deep trees are made, matched and taken down without a call per octet.
#[test]
fn depth_does_not_take_stack() {
    const DEPTH: usize = 5_000;
    let mut tree = Subscriptions::default();
    let topic = vec![b'a'; DEPTH];
    for len in 0..=DEPTH {
        tree.insert(&topic[..len], 0);
    }
    assert_eq!(matching(&tree, &topic).len(), DEPTH + 1);
    assert_eq!(tree.remove_all(0).len(), DEPTH + 1);
    assert!(matching(&tree, &topic).is_empty());
    tree.insert(&vec![b'b'; 64 * 1024], 0);
    assert_eq!(matching(&tree, &vec![b'b'; 64 * 1024]), [0]);
}

/// A match looks at the topics along the message, not at all of them.
#[test]
fn unrelated_topics_take_no_steps() {
    for topics in [100, 100_000] {
        let mut tree = Subscriptions::default();
        for number in 0..topics {
            tree.insert(format!("topic.{number:06}.end").as_bytes(), number % 1_000);
        }
        for number in 0..topics {
            let message = format!("topic.{number:06}.end and more");
            assert_eq!(matching(&tree, message.as_bytes()), [number % 1_000]);
            // The root, what all have in common, at most one for each digit, the topic.
            assert!(tree.path(message.as_bytes()).count() <= 1 + 1 + 6 + 1);
        }
    }
}

/// Topics over a small alphabet, so that they branch, nest and repeat.
fn topic() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => vec(0..3_u8, 0..6),
        1 => (0..3_u8, 250..260_usize).prop_map(|(octet, len)| vec![octet; len]),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (topic(), 0..4_u32).prop_map(|(topic, who)| Operation::Insert(topic, who)),
        4 => (topic(), 0..4_u32).prop_map(|(topic, who)| Operation::Remove(topic, who)),
        1 => (0..4_u32).prop_map(Operation::RemoveAll),
        3 => topic().prop_map(Operation::Match),
    ]
}

proptest! {
    #[test]
    fn the_tree_does_what_a_set_of_pairs_does(operations in vec(operation(), 0..120)) {
        let mut both = Both::default();
        for operation in operations {
            both.apply(operation);
        }
    }
}
