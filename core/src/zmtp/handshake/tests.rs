//! Tests of the handshake with scripted peers.

use super::*;

mod pairs;
mod properties;

type Outcome = Result<Option<Remote>, HandshakeError>;

fn local(socket_type: SocketType) -> Local {
    Local {
        socket_type,
        routing_id: None,
        properties: Vec::new(),
    }
}

/// The greeting of a libzmq 4.3.5 without a routing id.
fn greeting() -> Vec<u8> {
    let mut greeting = b"\xFF\0\0\0\0\0\0\0\x01\x7F\x03\x01NULL".to_vec();
    greeting.resize(64, 0);
    greeting
}

fn ready(socket_type: SocketType) -> Vec<u8> {
    command::ready(socket_type, None, &[]).to_vec()
}

/// A command frame of this body.
fn frame(body: &[u8]) -> Vec<u8> {
    [&[0x06][..], &(body.len() as u64).to_be_bytes(), body].concat()
}

/// What comes of `chunks`, what was not consumed, and all the output, when a socket of this type gets them in turn.
fn run<'a>(
    socket_type: SocketType,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Outcome, BytesMut, Vec<u8>) {
    let mut handshake = Handshake::new(local(socket_type));
    let mut output = handshake.take_output().unwrap_or_default().to_vec();
    let mut input = BytesMut::new();
    let mut outcome = Ok(None);
    for chunk in chunks {
        input.extend_from_slice(chunk);
        if matches!(outcome, Ok(None)) {
            outcome = handshake.handle_input(&mut input);
        }
        output.extend(handshake.take_output().unwrap_or_default());
    }
    (outcome, input, output)
}

/// What comes of the peer's bytes after a good greeting.
fn after_greeting(socket_type: SocketType, rest: &[u8]) -> Outcome {
    run(socket_type, [&greeting()[..], rest]).0
}

fn remote(socket_type: SocketType) -> Remote {
    Remote {
        minor: 1,
        socket_type,
        routing_id: None,
        properties: Vec::new(),
    }
}

/// W01.
#[test]
fn we_speak_in_three_pieces() {
    let mut handshake = Handshake::new(Local {
        socket_type: SocketType::Dealer,
        routing_id: Some(RoutingId::new("abc").unwrap()),
        properties: Vec::new(),
    });
    let first = handshake.take_output().unwrap();
    assert_eq!(first, b"\xFF\0\0\0\0\0\0\0\x04\x7F\x03"[..]);
    assert_eq!(handshake.take_output(), None);

    let peer = greeting();
    let mut input = BytesMut::from(&peer[..10]);
    assert_eq!(handshake.handle_input(&mut input), Ok(None));
    assert_eq!(handshake.take_output(), None);

    input.extend_from_slice(&peer[10..11]);
    assert_eq!(handshake.handle_input(&mut input), Ok(None));
    let rest = handshake.take_output().unwrap();
    assert_eq!(rest[..5], *b"\x01NULL");
    assert_eq!(rest[5..], [0; 48]);

    input.extend_from_slice(&peer[11..]);
    assert_eq!(handshake.handle_input(&mut input), Ok(None));
    let ready = handshake.take_output().unwrap();
    assert_eq!(
        ready,
        b"\x04\x2C\x05READY\x0BSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x03abc"[..]
    );
}

/// W02.
#[test]
fn the_greeting_may_arrive_in_any_pieces() {
    let peer = [greeting(), ready(SocketType::Pull)].concat();
    let expected = Ok(Some(remote(SocketType::Pull)));
    let (outcome, rest, output) = run(SocketType::Push, [&peer[..]]);
    assert_eq!((&outcome, &rest[..]), (&expected, &b""[..]));

    let in_steps = [&peer[..10], &peer[10..11], &peer[11..64], &peer[64..]];
    assert_eq!(
        run(SocketType::Push, in_steps),
        (expected.clone(), rest.clone(), output.clone())
    );
    assert_eq!(
        run(SocketType::Push, peer.chunks(1)),
        (expected, rest, output)
    );
}

/// What is withheld goes out when it is asked for, whoever is asked first.
#[test]
fn ready_can_wait_for_the_peers() {
    let mut handshake = Handshake::withholding(local(SocketType::Pair));
    let mut input = BytesMut::from(&greeting()[..]);
    assert!(!handshake.is_greeted());
    assert_eq!(handshake.handle_input(&mut input), Ok(None));
    assert!(handshake.is_greeted());
    assert_eq!(handshake.take_output().unwrap().len(), 64);
    input.extend_from_slice(&ready(SocketType::Pair));
    let peer = handshake.handle_input(&mut input);
    assert_eq!(peer, Ok(Some(remote(SocketType::Pair))));
    assert_eq!(handshake.take_output(), None);
    handshake.put_ready();
    assert_eq!(handshake.take_output().unwrap(), ready(SocketType::Pair));
}

/// Who is refused for its type gets READY all the same, so that it can tell what it met.
#[test]
fn a_withheld_ready_goes_before_an_error() {
    let mut handshake = Handshake::withholding(local(SocketType::Router));
    let mut input = BytesMut::from(&[greeting(), ready(SocketType::Pull)].concat()[..]);
    assert!(handshake.handle_input(&mut input).is_err());
    let output = handshake.take_output().unwrap();
    let error = command::error("Invalid socket type");
    let ready = command::ready(SocketType::Router, None, &[]);
    assert_eq!(output[64..], [&ready[..], &error[..]].concat());
}

#[test]
fn what_follows_ready_is_traffic() {
    let peer = [greeting(), ready(SocketType::Pull), b"\0\x02hi".to_vec()].concat();
    let (outcome, mut rest, _) = run(SocketType::Push, [&peer[..]]);
    assert_eq!(outcome, Ok(Some(remote(SocketType::Pull))));
    assert_eq!(rest[..], *b"\0\x02hi");

    let mut handshake = Handshake::new(local(SocketType::Push));
    let mut input = BytesMut::from(&peer[..]);
    assert!(handshake.handle_input(&mut input).unwrap().is_some());
    assert_eq!(handshake.handle_input(&mut rest), Ok(None));
    assert_eq!(rest[..], *b"\0\x02hi");
}

/// W03.
#[test]
fn padding_filler_as_server_and_higher_versions_are_accepted() {
    for (major, minor, expected) in [(3, 0, 0), (3, 1, 1), (2, 0, 1), (4, 2, 1), (9, 0, 1)] {
        let mut peer = greeting();
        peer[1..9].fill(0xA5);
        peer[10] = major;
        peer[11] = minor;
        peer[32..].fill(0xFF);
        peer.extend(ready(SocketType::Req));
        let (outcome, ..) = run(SocketType::Rep, [&peer[..]]);
        assert_eq!(outcome.unwrap().unwrap().minor, expected);
    }
}

/// W07: RFC 37, Connection Metadata: names are case-insensitive.
#[test]
fn property_names_match_in_any_letter_case() {
    let body = b"\x05READY\x08IDENTITY\0\0\0\x02id\x0Bsocket-TYPE\0\0\0\x03REQ\x03X-a\0\0\0\0";
    assert_eq!(
        after_greeting(SocketType::Router, &frame(body)),
        Ok(Some(Remote {
            minor: 1,
            socket_type: SocketType::Req,
            routing_id: Some(RoutingId::new("id").unwrap()),
            properties: vec![("X-a".to_owned(), Bytes::new())],
        }))
    );
}

#[test]
fn the_first_of_two_equal_properties_counts() {
    let body = b"\x05READY\x0BSocket-Type\0\0\0\x03REQ\x0BSocket-Type\0\0\0\x03PUB";
    assert_eq!(
        after_greeting(SocketType::Router, &frame(body)),
        Ok(Some(remote(SocketType::Req)))
    );
}

/// W06: RFC 37, The Socket-Type Property.
#[test]
fn a_socket_type_that_does_not_fit_is_told_to_the_peer() {
    let unknown = HandshakeError::UnknownSocketType {
        found: Frame::from("STREAM"),
    };
    let clash = HandshakeError::SocketType {
        local: SocketType::Req,
        peer: SocketType::Sub,
    };
    for (body, error) in [
        (&b"\x05READY\x0BSocket-Type\0\0\0\x06STREAM"[..], unknown),
        (b"\x05READY\x0BSocket-Type\0\0\0\x03SUB", clash),
        (b"\x05READY", HandshakeError::MissingSocketType),
    ] {
        let peer = [greeting(), frame(body)].concat();
        let (outcome, _, output) = run(SocketType::Req, [&peer[..]]);
        assert_eq!(outcome, Err(error));
        assert!(output.ends_with(b"\x04\x1A\x05ERROR\x13Invalid socket type"));
    }
}

#[test]
fn an_error_is_given_again_and_tells_the_peer_once() {
    let mut handshake = Handshake::new(local(SocketType::Req));
    let mut input = BytesMut::from(&[greeting(), ready(SocketType::Sub)].concat()[..]);
    let error = handshake.handle_input(&mut input).unwrap_err();
    assert!(handshake.take_output().is_some());
    assert_eq!(handshake.handle_input(&mut input), Err(error));
    assert_eq!(handshake.take_output(), None);
}

/// W24.
#[test]
fn other_protocols_get_nothing_more_from_us() {
    for stray in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"\x16\x03\x01\x02\0\x01\0\x01\xFC\x03\x03",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        &[0; 100],
    ] {
        let (outcome, _, output) = run(SocketType::Req, [stray]);
        assert_eq!(outcome, Err(HandshakeError::NotZmtp));
        assert_eq!(output.len(), greeting::FIRST_LEN);
    }
}

#[test]
fn another_mechanism_gets_our_whole_greeting() {
    let mut peer = greeting();
    peer[12..17].copy_from_slice(b"CURVE");
    let (outcome, _, output) = run(SocketType::Req, [&peer[..]]);
    let found = Frame::from("CURVE");
    assert_eq!(outcome, Err(HandshakeError::Mechanism { found }));
    assert_eq!(output.len(), 64);
}

#[test]
fn an_error_of_the_peer_is_a_refusal() {
    let reason = Frame::from("Invalid socket type");
    assert_eq!(
        after_greeting(SocketType::Req, &command::error("Invalid socket type")),
        Err(HandshakeError::Refused { reason })
    );
}

/// RFC 37, Framing; RFC 37, The NULL Security Mechanism.
#[test]
fn frames_that_are_no_good_ready_are_malformed() {
    let long = [&[0x06][..], &65_537_u64.to_be_bytes()].concat();
    let huge = [&[0x06][..], &[0xFF; 8]].concat();
    let not_a_command = [&[0x00], &ready(SocketType::Rep)[1..]].concat();
    for (bytes, error) in [
        (
            &[0x0C][..],
            MalformedHandshake::ReservedFlags { flags: 0x0C },
        ),
        (&[0x84], MalformedHandshake::ReservedFlags { flags: 0x84 }),
        (&[0x00], MalformedHandshake::Message),
        (&not_a_command, MalformedHandshake::Message),
        (&long, MalformedHandshake::TooLong { len: 65_537 }),
        (&huge, MalformedHandshake::TooLong { len: u64::MAX }),
        (
            b"\x04\x07\x04PING\0\0",
            MalformedHandshake::UnexpectedCommand,
        ),
        (b"\x04\x05\x04FOOO", MalformedHandshake::UnexpectedCommand),
        (b"\x04\0", MalformedHandshake::Command),
        (b"\x04\x03\x05RE", MalformedHandshake::Command),
        (b"\x04\x06\x05ERROR", MalformedHandshake::Command),
        (b"\x04\x07\x05READY\0", MalformedHandshake::Metadata),
        (
            b"\x04\x0D\x05READY\x01a\0\0\0\x02b",
            MalformedHandshake::Metadata,
        ),
    ] {
        assert_eq!(
            after_greeting(SocketType::Req, bytes),
            Err(error.into()),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn more_on_a_command_and_a_long_form_of_few_octets_are_accepted() {
    let body = &ready(SocketType::Rep)[2..];
    let mut long_with_more = frame(body);
    long_with_more[0] = 0x07;
    let expected = Ok(Some(remote(SocketType::Rep)));
    assert_eq!(after_greeting(SocketType::Req, &frame(body)), expected);
    assert_eq!(after_greeting(SocketType::Req, &long_with_more), expected);
}

/// W11, for commands: a header costs nothing but itself.
#[test]
fn what_is_merely_claimed_is_not_allocated() {
    let mut handshake = Handshake::new(local(SocketType::Req));
    let mut input = BytesMut::from(&greeting()[..]);
    input.extend_from_slice(&[0x06, 0, 0, 0, 0, 0, 1, 0, 0]);
    let capacity = input.capacity();
    assert_eq!(handshake.handle_input(&mut input), Ok(None));
    assert!(input.capacity() <= capacity);
    assert_eq!(input.len(), 9);
}

/// RFC 37, The Identity Property.
#[test]
fn routing_ids_are_checked_for_the_types_that_have_one() {
    let with_identity = |socket_type, id: &[u8]| {
        let mut body = ready(socket_type)[2..].to_vec();
        if socket_type.sends_routing_id() {
            body.truncate(body.len() - 13);
        }
        body.extend(b"\x08Identity");
        body.extend(u32::try_from(id.len()).unwrap().to_be_bytes());
        body.extend(id);
        frame(&body)
    };
    for (id, error) in [
        (vec![0, 1], InvalidRoutingId::LeadingZero),
        (vec![7; 256], InvalidRoutingId::TooLong { len: 256 }),
    ] {
        assert_eq!(
            after_greeting(SocketType::Router, &with_identity(SocketType::Dealer, &id)),
            Err(MalformedHandshake::RoutingId(error).into())
        );
        assert_eq!(
            after_greeting(SocketType::Pull, &with_identity(SocketType::Push, &id)),
            Ok(Some(remote(SocketType::Push)))
        );
    }
    let longest = after_greeting(
        SocketType::Router,
        &with_identity(SocketType::Req, &[7; 255]),
    );
    assert_eq!(
        longest.unwrap().unwrap().routing_id,
        Some(RoutingId::new(vec![7; 255]).unwrap())
    );
}

#[test]
fn errors_are_one_line_in_lower_case() {
    let reason = Frame::from("400\n");
    assert_eq!(
        HandshakeError::Refused { reason }.to_string(),
        r#"the peer refuses the connection: "400\n""#
    );
    assert_eq!(
        HandshakeError::from(MalformedHandshake::ReservedFlags { flags: 0xF8 }).to_string(),
        "the peer set reserved bits in the flags of a frame: 0xf8"
    );
    assert_eq!(
        HandshakeError::SocketType {
            local: SocketType::Req,
            peer: SocketType::Pub
        }
        .to_string(),
        "a socket of type REQ cannot talk to one of type PUB"
    );
}
