//! The golden messages of RFC 7, everything that crashes other brokers, and properties.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A message as written in the golden vectors: frames in hexadecimal, separated by dots, `∅` for an empty one.
fn message(hex: &str) -> Message {
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let frame = |text: &str| match text {
        "∅" => Frame::empty(),
        text => Frame::from(text.as_bytes().chunks(2).map(octet).collect::<Vec<_>>()),
    };
    Message::from_frames(hex.split(" · ").map(frame).collect()).unwrap()
}

fn read_at_broker(frames: &[&[u8]]) -> Result<ToBroker, Malformed> {
    let frames = frames.iter().map(|&frame| Frame::from(frame)).collect();
    ToBroker::read(Message::from_frames(frames).unwrap(), MAX_FRAMES)
}

fn read_at_worker(frames: &[&[u8]]) -> Result<BrokerCommand, Malformed> {
    let frames = frames.iter().map(|&frame| Frame::from(frame)).collect();
    BrokerCommand::read(Message::from_frames(frames).unwrap(), MAX_FRAMES)
}

fn echo_hi() -> ClientMessage {
    ClientMessage {
        envelope: None,
        service: Frame::from("echo"),
        body: Some(Message::from("Hi")),
    }
}

fn address() -> Frame {
    Frame::from([0x00, 0x6b, 0x8b, 0x45, 0x67])
}

/// MD-4.
#[test]
fn a_client_request_is_the_golden_one() {
    let golden = message("∅ · 4d4450433031 · 6563686f · 4869");
    assert_eq!(echo_hi().into_message(), golden);
    assert_eq!(
        ToBroker::read(golden.clone(), MAX_FRAMES),
        Ok(ToBroker::Client(echo_hi()))
    );
    assert_eq!(ClientMessage::read(golden, MAX_FRAMES), Ok(echo_hi()));
}

/// MD-4.
#[test]
fn the_commands_of_a_worker_are_the_golden_ones() {
    let body = Message::from("Hi");
    let service = Frame::from("echo");
    let reply = WorkerCommand::Reply {
        address: address(),
        body,
    };
    for (command, golden) in [
        (
            WorkerCommand::Ready { service },
            "∅ · 4d4450573031 · 01 · 6563686f",
        ),
        (reply, "∅ · 4d4450573031 · 03 · 006b8b4567 · ∅ · 4869"),
        (WorkerCommand::Heartbeat, "∅ · 4d4450573031 · 04"),
        (WorkerCommand::Disconnect, "∅ · 4d4450573031 · 05"),
    ] {
        assert_eq!(command.clone().into_message(), message(golden));
        assert_eq!(
            ToBroker::read(message(golden), MAX_FRAMES),
            Ok(ToBroker::Worker(command))
        );
    }
}

/// MD-4.
#[test]
fn the_commands_of_a_broker_are_the_golden_ones() {
    let body = Message::from("Hi");
    let request = BrokerCommand::Request {
        address: address(),
        body,
    };
    for (command, golden) in [
        (request, "∅ · 4d4450573031 · 02 · 006b8b4567 · ∅ · 4869"),
        (BrokerCommand::Heartbeat, "∅ · 4d4450573031 · 04"),
        (BrokerCommand::Disconnect, "∅ · 4d4450573031 · 05"),
    ] {
        assert_eq!(command.clone().into_message(), message(golden));
        assert_eq!(
            BrokerCommand::read(message(golden), MAX_FRAMES),
            Ok(command)
        );
    }
}

/// RFC 8: the reply 404 to a client.
#[test]
fn a_management_reply_is_the_golden_one() {
    let reply = ClientMessage {
        envelope: None,
        service: Frame::from("mmi.service"),
        body: Some(Message::from("404")),
    };
    let golden = message("∅ · 4d4450433031 · 6d6d692e73657276696365 · 343034");
    assert_eq!(reply.into_message(), golden);
}

/// MD-7: `[x]`.
#[test]
fn one_frame_that_is_not_empty_is_malformed() {
    assert_eq!(read_at_broker(&[b"x"]), Err(Malformed::NoDelimiter));
}

/// MD-7: `[∅]`.
#[test]
fn an_empty_frame_alone_is_malformed() {
    assert_eq!(read_at_broker(&[b""]), Err(Malformed::NoHeader));
}

/// MD-7: `[∅]["MDPC01"]`.
#[test]
fn a_client_header_alone_is_malformed() {
    assert_eq!(read_at_broker(&[b"", b"MDPC01"]), Err(Malformed::NoService));
}

/// MD-7: `[∅]["MDPC01"]["echo"]` asks nothing; the broker refuses it unless the service is its own.
#[test]
fn a_request_without_body_has_no_body() {
    let Ok(ToBroker::Client(request)) = read_at_broker(&[b"", b"MDPC01", b"echo"]) else {
        panic!("not a request");
    };
    assert_eq!(request.body, None);
}

/// MD-7: `[∅]["MDPW01"]`.
#[test]
fn a_worker_header_alone_is_malformed() {
    assert_eq!(read_at_broker(&[b"", b"MDPW01"]), Err(Malformed::NoCommand));
    assert_eq!(read_at_worker(&[b"", b"MDPW01"]), Err(Malformed::NoCommand));
}

/// MD-7: READY without a service.
#[test]
fn ready_without_a_service_is_malformed() {
    assert_eq!(
        read_at_broker(&[b"", b"MDPW01", b"\x01"]),
        Err(Malformed::NoService)
    );
}

/// MD-7: `[∅]["MDPW01"][09]`.
#[test]
fn an_unknown_command_is_malformed() {
    for command in [&b"\x09"[..], b"", b"\x01\x01", b"\x02"] {
        assert_eq!(
            read_at_broker(&[b"", b"MDPW01", command, b"echo"]),
            Err(Malformed::UnknownCommand)
        );
    }
    for command in [&b"\x01"[..], b"\x03", b"\x09", b""] {
        assert_eq!(
            read_at_worker(&[b"", b"MDPW01", command, b"echo"]),
            Err(Malformed::UnknownCommand)
        );
    }
}

#[test]
fn a_reply_needs_one_address_and_an_empty_frame_and_a_body() {
    let read = |rest: &[&[u8]]| {
        let mut frames: Vec<&[u8]> = vec![b"", b"MDPW01", b"\x03"];
        frames.extend(rest);
        read_at_broker(&frames)
    };
    assert_eq!(read(&[]), Err(Malformed::NoAddress));
    assert_eq!(read(&[b"a"]), Err(Malformed::NoAddress));
    assert_eq!(read(&[b"a", b"b", b"", b"x"]), Err(Malformed::NoAddress));
    assert_eq!(read(&[b"a", b""]), Err(Malformed::NoBody));
    assert!(read(&[b"a", b"", b""]).is_ok());
}

#[test]
fn service_names_have_1_to_255_bytes() {
    for (len, result) in [(0, false), (1, true), (255, true), (256, false)] {
        let name = vec![0xff; len];
        assert_eq!(
            read_at_broker(&[b"", b"MDPC01", &name, b"x"]).is_ok(),
            result
        );
        assert_eq!(
            read_at_broker(&[b"", b"MDPW01", b"\x01", &name]).is_ok(),
            result
        );
    }
}

#[test]
fn headers_of_other_versions_and_roles_are_told_apart() {
    for header in ["MDPC02", "MDPW02", "MDPC0X"] {
        assert_eq!(
            read_at_broker(&[b"", header.as_bytes(), b"x", b"y"]),
            Err(Malformed::OtherHeader)
        );
    }
    assert_eq!(
        read_at_worker(&[b"", b"MDPC01", b"x", b"y"]),
        Err(Malformed::OtherHeader)
    );
    assert_eq!(
        read_at_broker(&[b"", b"HTTP/1", b"x", b"y"]),
        Err(Malformed::UnknownHeader)
    );
}

/// The frames of `ZMQ_REQ_CORRELATE` and of our own clients.
#[test]
fn up_to_seven_frames_before_the_delimiter_come_back() {
    for len in 1..=8 {
        let mut frames = vec![Frame::from("id"); len];
        frames.extend(echo_hi().into_message());
        let sent = Message::from_frames(frames).unwrap();
        let read = ToBroker::read(sent.clone(), MAX_FRAMES);
        if len > MAX_ENVELOPE {
            assert_eq!(read, Err(Malformed::NoDelimiter));
            continue;
        }
        let Ok(ToBroker::Client(request)) = read else {
            panic!("not a request");
        };
        assert_eq!(request.envelope.as_ref().map(Message::len), Some(len));
        assert_eq!(request.into_message(), sent);
    }
}

#[test]
fn a_worker_has_no_envelope() {
    assert_eq!(
        read_at_broker(&[b"id", b"", b"MDPW01", b"\x04"]),
        Err(Malformed::WorkerEnvelope)
    );
}

#[test]
fn the_number_of_frames_is_limited() {
    let mut frames = vec![Frame::empty(); MAX_FRAMES];
    frames[1] = Frame::from(CLIENT_HEADER);
    frames[2] = Frame::from("echo");
    assert!(ToBroker::read(Message::from_frames(frames.clone()).unwrap(), MAX_FRAMES).is_ok());
    frames.push(Frame::empty());
    let message = Message::from_frames(frames).unwrap();
    assert_eq!(
        ToBroker::read(message, MAX_FRAMES),
        Err(Malformed::TooManyFrames)
    );
}

#[test]
fn the_kinds_are_numbered_from_zero() {
    for (index, kind) in Malformed::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, index);
    }
}

/// Frames as peers might send them: often almost right.
fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        Just(Frame::empty()),
        Just(Frame::from(CLIENT_HEADER)),
        Just(Frame::from(WORKER_HEADER)),
        (0..8u8).prop_map(|command| Frame::from([command])),
        vec(any::<u8>(), 0..60).prop_map(Frame::from),
        vec(any::<u8>(), 250..260).prop_map(Frame::from),
    ]
}

fn frames() -> impl Strategy<Value = Message> {
    vec(frame(), 1..14).prop_map(|frames| Message::from_frames(frames).unwrap())
}

proptest! {
    /// F-2: no input panics, and what is read is written back as it came.
    #[test]
    fn what_is_read_is_written_back(sent in frames()) {
        if let Ok(ToBroker::Client(request)) = ToBroker::read(sent.clone(), 12) {
            prop_assert_eq!(request.into_message(), sent.clone());
        }
        if let Ok(ToBroker::Worker(WorkerCommand::Reply { address, body })) = ToBroker::read(sent.clone(), 12) {
            prop_assert_eq!(WorkerCommand::Reply { address, body }.into_message(), sent.clone());
        }
        if let Ok(reply) = ClientMessage::read(sent.clone(), 12) {
            prop_assert_eq!(reply.into_message(), sent.clone());
        }
        if let Ok(BrokerCommand::Request { address, body }) = BrokerCommand::read(sent.clone(), 12) {
            prop_assert_eq!(BrokerCommand::Request { address, body }.into_message(), sent);
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        envelope in proptest::option::of(vec(vec(any::<u8>(), 1..50), 1..=MAX_ENVELOPE)),
        service in vec(any::<u8>(), 1..=MAX_SERVICE_NAME),
        address in vec(any::<u8>(), 0..255),
        body in frames(),
    ) {
        let envelope = envelope
            .and_then(|frames| Message::from_frames(frames.into_iter().map(Frame::from).collect()));
        let (service, address) = (Frame::from(service), Frame::from(address));
        let call = ClientMessage { envelope, service: service.clone(), body: Some(body.clone()) };
        prop_assert_eq!(ClientMessage::read(call.clone().into_message(), MAX_FRAMES), Ok(call));
        for command in [
            WorkerCommand::Ready { service },
            WorkerCommand::Reply { address: address.clone(), body: body.clone() },
        ] {
            let read = ToBroker::read(command.clone().into_message(), MAX_FRAMES);
            prop_assert_eq!(read, Ok(ToBroker::Worker(command)));
        }
        let command = BrokerCommand::Request { address, body };
        prop_assert_eq!(BrokerCommand::read(command.clone().into_message(), MAX_FRAMES), Ok(command));
    }
}
