//! What holds for any input.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// Bytes that get far into the handshake, then any: a good dialogue with a few octets changed and up to three
/// cut off.
fn nearly_good() -> impl Strategy<Value = Vec<u8>> {
    let types = select(&SocketType::ALL[..]);
    let changes = vec((any::<Index>(), any::<u8>()), 0..3);
    (types, vec(any::<u8>(), 0..40), changes, 0..4_usize).prop_map(
        |(socket_type, traffic, changes, cut)| {
            let mut bytes = [greeting(), ready(socket_type), traffic].concat();
            for (at, octet) in changes {
                *at.get_mut(&mut bytes) = octet;
            }
            bytes.truncate(bytes.len() - cut);
            bytes
        },
    )
}

proptest! {
    /// W02.
    #[test]
    fn any_split_gives_the_same_result(
        bytes in prop_oneof![nearly_good(), vec(any::<u8>(), 0..100)],
        cuts in vec(any::<Index>(), 0..8),
        local_type in select(&SocketType::ALL[..]),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]);
        let whole = run(local_type, [&bytes[..]]);
        prop_assert_eq!(&run(local_type, chunks), &whole);
        prop_assert_eq!(&run(local_type, bytes.chunks(1)), &whole);
    }

    #[test]
    fn a_ready_of_anything_does_not_panic(metadata in vec(any::<u8>(), 0..300)) {
        let body = [b"\x05READY", &metadata[..]].concat();
        let _ = after_greeting(SocketType::Req, &frame(&body));
    }
}
