//! Tests of commands and properties.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The body of a frame that is known to be a complete command.
fn body(frame: &[u8]) -> &[u8] {
    if frame[0] & LONG == 0 {
        assert_eq!(usize::from(frame[1]), frame.len() - 2);
        &frame[2..]
    } else {
        let len = u64::from_be_bytes(frame[1..9].try_into().unwrap());
        assert_eq!(len, frame.len() as u64 - 9);
        &frame[9..]
    }
}

fn subscribe(topic: &[u8]) -> Bytes {
    frame(SUBSCRIBE, &[topic])
}

fn cancel(topic: &[u8]) -> Bytes {
    frame(CANCEL, &[topic])
}

/// W05: as measured on the wire of libzmq 4.3.5.
#[test]
fn ready_is_exactly_what_libzmq_sends() {
    let golden: [(SocketType, &[u8]); 11] = [
        (
            SocketType::Pair,
            b"\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04PAIR",
        ),
        (
            SocketType::Pub,
            b"\x04\x19\x05READY\x0BSocket-Type\0\0\0\x03PUB",
        ),
        (
            SocketType::Sub,
            b"\x04\x19\x05READY\x0BSocket-Type\0\0\0\x03SUB",
        ),
        (
            SocketType::Req,
            b"\x04\x26\x05READY\x0BSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\0",
        ),
        (
            SocketType::Rep,
            b"\x04\x19\x05READY\x0BSocket-Type\0\0\0\x03REP",
        ),
        (
            SocketType::Dealer,
            b"\x04\x29\x05READY\x0BSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0",
        ),
        (
            SocketType::Router,
            b"\x04\x29\x05READY\x0BSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0",
        ),
        (
            SocketType::Pull,
            b"\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04PULL",
        ),
        (
            SocketType::Push,
            b"\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04PUSH",
        ),
        (
            SocketType::Xpub,
            b"\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04XPUB",
        ),
        (
            SocketType::Xsub,
            b"\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04XSUB",
        ),
    ];
    for (socket_type, bytes) in golden {
        assert_eq!(ready(socket_type, None, &[]), bytes, "{socket_type}");
    }
}

/// W05, W07.
#[test]
fn ready_has_the_routing_id_second_and_other_properties_after_it() {
    let id = RoutingId::new("abc").unwrap();
    let properties = [("X-Hello".to_owned(), Bytes::from_static(b"World"))];
    assert_eq!(
        ready(SocketType::Dealer, Some(&id), &properties),
        b"\x04\x3D\x05READY\x0BSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x03abc\x07X-Hello\0\0\0\x05World"[..]
    );
    assert_eq!(
        ready(SocketType::Push, Some(&id), &[]),
        ready(SocketType::Push, None, &[])
    );
}

#[test]
fn a_body_of_256_octets_has_the_long_form() {
    let frame = subscribe(&[b'a'; 245]);
    assert_eq!(frame[..3], [0x04, 255, 9]);
    let frame = subscribe(&[b'a'; 246]);
    assert_eq!(frame[..10], [0x06, 0, 0, 0, 0, 0, 0, 1, 0, 9]);
    assert_eq!(
        Command::parse(body(&frame)),
        Ok(Command::Subscribe(&[b'a'; 246]))
    );
}

#[test]
fn commands_in_traffic_are_exactly_these() {
    assert_eq!(subscribe(b"A"), b"\x04\x0B\x09SUBSCRIBEA"[..]);
    assert_eq!(cancel(b"A"), b"\x04\x08\x06CANCELA"[..]);
    assert_eq!(ping(TENTH * 100, b"ctx"), b"\x04\x0A\x04PING\0\x64ctx"[..]);
    assert_eq!(pong(b""), b"\x04\x05\x04PONG"[..]);
    assert_eq!(error("no"), b"\x04\x09\x05ERROR\x02no"[..]);
}

/// W13, W15, as far as they are pure.
#[test]
fn what_is_sent_is_kept_within_its_limits() {
    assert_eq!(ping(TENTH * 655, b""), b"\x04\x07\x04PING\x02\x8F"[..]);
    assert_eq!(ping(TENTH * 656, b""), ping(TENTH * 655, b""));
    assert_eq!(ping(Duration::MAX, &[7; 17]), ping(TENTH * 655, &[7; 16]));
    assert_eq!(pong(&[7; 17]), pong(&[7; 16]));
    let longest = error(&"a".repeat(255));
    assert_eq!(error(&"a".repeat(256)), longest);
    assert_eq!(longest[..16], *b"\x06\0\0\0\0\0\0\x01\x06\x05ERROR\xFF");

    let value = Bytes::new();
    for name in [String::new(), "a".repeat(256)] {
        let properties = [(name, value.clone())];
        assert_eq!(
            ready(SocketType::Push, None, &properties),
            ready(SocketType::Push, None, &[])
        );
    }
}

#[test]
fn commands_are_parsed() {
    for (body, expected) in [
        (
            &b"\x05ERROR\x03400 and more"[..],
            Command::Error { reason: b"400" },
        ),
        (b"\x09SUBSCRIBE", Command::Subscribe(b"")),
        (b"\x06CANCEL\0\xFF", Command::Cancel(b"\0\xFF")),
        (
            b"\x04PING\x01\x02",
            Command::Ping {
                ttl: TENTH * 258,
                context: b"",
            },
        ),
        (
            b"\x04PING\xFF\xFFabc",
            Command::Ping {
                ttl: TENTH * 65_535,
                context: b"abc",
            },
        ),
        (b"\x04PONGabc", Command::Pong { context: b"abc" }),
        (b"\x04JOINgroup", Command::Join(b"group")),
        (b"\x05LEAVEgroup", Command::Leave(b"group")),
        (b"\x04FOOOdata", Command::Unknown { name: b"FOOO" }),
        (b"\x04ping\0\0", Command::Unknown { name: b"ping" }),
    ] {
        assert_eq!(
            Command::parse(body),
            Ok(expected),
            "{}",
            body.escape_ascii()
        );
    }
}

/// W08, W13: of all malformed commands only the short PING closes the connection.
#[test]
fn malformed_commands_are_told_apart() {
    for (body, error) in [
        (&b""[..], MalformedCommand::NoName),
        (b"\0", MalformedCommand::NoName),
        (b"\0READY", MalformedCommand::NoName),
        (b"\x05", MalformedCommand::NameOverrun),
        (b"\x06READY", MalformedCommand::NameOverrun),
        (b"\xFFx", MalformedCommand::NameOverrun),
        (b"\x05ERROR", MalformedCommand::ReasonOverrun),
        (b"\x05ERROR\x02a", MalformedCommand::ReasonOverrun),
        (b"\x04PING", MalformedCommand::ShortPing),
        (b"\x04PING\0", MalformedCommand::ShortPing),
    ] {
        assert_eq!(Command::parse(body), Err(error), "{}", body.escape_ascii());
        assert_eq!(error.is_fatal(), error == MalformedCommand::ShortPing);
    }
}

/// RFC 37, The NULL Security Mechanism: the grammar of metadata.
#[test]
fn malformed_properties_end_the_metadata() {
    for (unread, error) in [
        (&b"\0\0\0\0\0"[..], MalformedProperty::NoName),
        (b"\x01\xFF\0\0\0\0", MalformedProperty::NotText),
        (b"\x02a", MalformedProperty::Overrun),
        (b"\x01a\0\0\0", MalformedProperty::Overrun),
        (b"\x01a\0\0\0\x02b", MalformedProperty::Overrun),
        (b"\x01a\x80\0\0\0b", MalformedProperty::Overrun),
        (b"\x01a\xFF\xFF\xFF\xFFb", MalformedProperty::Overrun),
        (b"\x05", MalformedProperty::Overrun),
    ] {
        let good = b"\x04Name\0\0\0\x05value";
        let metadata = [good, unread, good].concat();
        let cut = good.len() + unread.len();
        let mut properties = Properties {
            unread: &metadata[..cut],
        };
        assert_eq!(properties.next(), Some(Ok(("Name", &b"value"[..]))));
        assert_eq!(
            properties.next(),
            Some(Err(error)),
            "{}",
            unread.escape_ascii()
        );
        assert_eq!(properties.next(), None);
    }
}

proptest! {
    #[test]
    fn no_body_panics(body in vec(any::<u8>(), 0..600)) {
        if let Ok(Command::Ready(properties)) = Command::parse(&body) {
            properties.for_each(drop);
        }
        let body = [b"\x05READY", &body[..]].concat();
        let Ok(Command::Ready(properties)) = Command::parse(&body) else {
            panic!("not READY");
        };
        // Each property takes 6 octets or more.
        prop_assert!(properties.count() <= body.len() / 6 + 1);
    }

    #[test]
    fn decoding_an_encoding_gives_the_value_back(
        octets in vec(any::<u8>(), 0..400),
        tenths in 0..=655_u32,
    ) {
        let context = &octets[..octets.len().min(16)];
        for (frame, expected) in [
            (subscribe(&octets), Command::Subscribe(&octets)),
            (cancel(&octets), Command::Cancel(&octets)),
            (pong(&octets), Command::Pong { context }),
            (ping(TENTH * tenths, &octets), Command::Ping { ttl: TENTH * tenths, context }),
        ] {
            prop_assert_eq!(Command::parse(body(&frame)), Ok(expected));
        }
    }

    #[test]
    fn properties_are_read_back(
        others in vec(("[A-Za-z0-9._+-]{1,255}", vec(any::<u8>(), 0..300)), 0..5),
    ) {
        let others: Vec<_> = others.into_iter().map(|(name, value)| (name, Bytes::from(value))).collect();
        let frame = ready(SocketType::Req, None, &others);
        let Ok(Command::Ready(properties)) = Command::parse(body(&frame)) else {
            panic!("not READY");
        };
        let read: Vec<_> = properties.map(Result::unwrap).collect();
        prop_assert_eq!(read[0], (SOCKET_TYPE, &b"REQ"[..]));
        prop_assert_eq!(read[1], (IDENTITY, &b""[..]));
        let written: Vec<_> = others.iter().map(|(name, value)| (&name[..], &value[..])).collect();
        prop_assert_eq!(&read[2..], &written[..]);
    }
}
