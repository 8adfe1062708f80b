//! Two handshakes joined in memory.

use super::*;

/// W06, for every pair of types, with both sides ours.
#[test]
fn two_joined_handshakes_complete_for_the_legal_pairs_alone() {
    for a in SocketType::ALL {
        for b in SocketType::ALL {
            let (a_result, a_output, b_result, b_output) = join(local(a), local(b));
            if a.compatible_with(b) {
                assert_eq!(a_result, Ok(Some(remote(b))));
                assert_eq!(b_result, Ok(Some(remote(a))));
            } else {
                let error = |local, peer| Err(HandshakeError::SocketType { local, peer });
                assert_eq!(a_result, error(a, b));
                assert_eq!(b_result, error(b, a));
                let told = command::error("Invalid socket type");
                assert!(a_output.ends_with(&told));
                assert!(b_output.ends_with(&told));
            }
        }
    }
}

/// Carries output to and fro until both sides are done; gives the results and all that either side said.
fn join(a: Local, b: Local) -> (Outcome, Vec<u8>, Outcome, Vec<u8>) {
    let mut sides =
        [a, b].map(|local| (Handshake::new(local), BytesMut::new(), Ok(None), Vec::new()));
    for _ in 0..4 {
        let outputs = [0, 1].map(|i| sides[i].0.take_output().unwrap_or_default());
        for i in [0, 1] {
            let (handshake, input, result, said) = &mut sides[i];
            said.extend_from_slice(&outputs[i]);
            input.extend_from_slice(&outputs[1 - i]);
            if matches!(result, Ok(None)) {
                *result = handshake.handle_input(input);
            }
        }
    }
    let [(_, _, a_result, a_said), (_, _, b_result, b_said)] = sides;
    (a_result, a_said, b_result, b_said)
}

/// W07.
#[test]
fn routing_id_and_metadata_reach_the_peer() {
    let properties = vec![("X-Privateer".to_owned(), Bytes::from_static(b"1;a,b"))];
    let routing_id = Some(RoutingId::new("worker-7").unwrap());
    let dealer = Local {
        socket_type: SocketType::Dealer,
        routing_id: routing_id.clone(),
        properties: properties.clone(),
    };
    let (result, ..) = join(local(SocketType::Router), dealer);
    let dealer = result.unwrap().unwrap();
    assert_eq!(dealer.routing_id, routing_id);
    assert_eq!(dealer.properties, properties);
}
