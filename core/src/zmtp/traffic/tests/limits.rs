//! What a peer can make the inbound half hold or reserve.

use bytes::BufMut as _;

use super::*;
use crate::read_buffer::{LARGE_FIRST, READ_FIRST};

/// A long header of these flags that claims a body of this size.
fn header(flags: u8, size: u64) -> Vec<u8> {
    [&[flags | 0x02][..], &size.to_be_bytes()].concat()
}

fn fault_of(octets: &[u8], max_frame: Option<u64>) -> Option<PeerMisbehaved> {
    Driver::new(octets, max_frame).fault
}

/// W11: the limit is checked when the header is there, whatever follows or does not.
#[test]
fn a_frame_over_the_limit_is_refused_by_its_header() {
    let size = 101;
    let fault = Some(PeerMisbehaved::FrameTooLarge { size, limit: 100 });
    assert_eq!(fault_of(&header(0, size), Some(100)), fault);
    assert_eq!(fault_of(&header(1, size), Some(100)), fault);
    assert_eq!(fault_of(&header(0, 100), Some(100)), None);
}

/// RFC 37, Framing: sizes are below 2^63, also where no limit is set.
#[test]
fn a_size_of_64_bits_is_refused_without_a_limit_too() {
    let (size, limit) = (1 << 63, i64::MAX as u64);
    assert_eq!(
        fault_of(&header(0, size), None),
        Some(PeerMisbehaved::FrameTooLarge { size, limit })
    );
    assert_eq!(fault_of(&header(0, limit), None), None);
}

/// W11: a header reserves a first buffer at most; the buffer grows as octets arrive. Memory that the process owns already
/// may be four times as large.
#[test]
fn nothing_is_reserved_for_what_a_header_claims() {
    let mut driver = Driver::new(&header(0, i64::MAX as u64), None);
    let mut arrived = 0;
    for _ in 0..20 {
        let target = driver.traffic.read_target();
        let capacity = target.get_ref().capacity();
        assert!(Limit::limit(&target) > 0);
        assert!(
            capacity <= 4 * LARGE_FIRST.max(8 * arrived),
            "{capacity} reserved for {arrived}"
        );
        driver.read(&[0; 100_000]);
        arrived += 100_000;
    }
    assert!(!driver.traffic.has_messages());
}

#[test]
fn a_command_may_be_as_large_as_the_limit_and_no_larger() {
    let size = COMMAND_MAX as u64 + 1;
    let fault = Some(PeerMisbehaved::CommandTooLarge { size });
    assert_eq!(fault_of(&header(4, size), None), fault);
    let size = i64::MAX as u64;
    let fault = Some(PeerMisbehaved::CommandTooLarge { size });
    assert_eq!(fault_of(&header(4, size), Some(10)), fault);

    let mut driver = Driver::new(&header(4, COMMAND_MAX as u64), Some(10));
    driver.read(&vec![0; COMMAND_MAX]);
    assert_eq!(driver.fault, None);
    assert_eq!(driver.commands, [vec![0; COMMAND_MAX]]);
}

/// The limit of one frame holds for each; all frames of a message may have four times as much.
#[test]
fn the_frames_of_a_message_are_limited_together() {
    let full = [&[1, 100][..], &[7; 100]].concat();
    let limit = 400;
    let fault = Some(PeerMisbehaved::MessageTooLarge { limit });
    let four = full.repeat(4);
    assert_eq!(fault_of(&[&four[..], b"\0\0"].concat(), Some(100)), None);
    assert_eq!(fault_of(&[&four[..], b"\0\x01"].concat(), Some(100)), fault);
    // Each message counts anew.
    let messages = [&full[..], &full, &full, b"\0\x01a"].concat().repeat(3);
    assert_eq!(fault_of(&messages, Some(100)), None);
}

/// Frames that are read into a buffer of their own count as others do.
#[test]
fn large_frames_of_a_message_are_limited_together() {
    let size = 2 * LARGE_BODY;
    let frame = [header(1, size as u64), vec![7; size]].concat();
    let mut driver = Driver::new(&[], Some(size as u64));
    for _ in 0..4 {
        driver.read(&frame);
        assert_eq!(driver.fault, None);
    }
    driver.read(b"\0\x01");
    let limit = 4 * size as u64;
    assert_eq!(
        driver.fault,
        Some(PeerMisbehaved::MessageTooLarge { limit })
    );
}

/// Frames cost memory beside their bodies, so that many empty ones are refused too.
#[test]
fn a_message_has_a_limited_number_of_frames() {
    let most = b"\x01\0".repeat(MESSAGE_FRAMES_MAX - 1);
    let driver = &mut Driver::new(&[&most[..], b"\0\0"].concat(), None);
    assert_eq!(driver.fault, None);
    driver.take(usize::MAX);
    assert_eq!(driver.messages[0].len(), MESSAGE_FRAMES_MAX);

    let fault = Some(PeerMisbehaved::TooManyFrames {
        limit: MESSAGE_FRAMES_MAX,
    });
    assert_eq!(fault_of(&[&most[..], b"\x01\0\0\0"].concat(), None), fault);
}

/// What stands between the frames of a message is sorted out of it, which costs more the more there is of it.
#[test]
fn a_message_has_a_limited_number_of_interruptions() {
    let interrupted = |times| {
        let octets = [
            &b"\x01\x01a"[..],
            &b"\x04\x05\x03ANYx".repeat(times),
            b"\0\x01z",
        ]
        .concat();
        let mut traffic = Traffic::new(BytesMut::from(&octets.repeat(3)[..]), None);
        traffic.walk(&mut |_| Ok(Some(Bytes::from_static(b"\0\x01e"))))
    };
    let limit = INTERRUPTIONS_MAX;
    assert!(interrupted(limit).is_ok());
    let fault = PeerMisbehaved::TooManyInterruptions { limit };
    assert_eq!(interrupted(limit + 1).err(), Some(fault));
}

/// With nobody taking anything, reading stops at one read buffer.
#[test]
fn one_read_buffer_of_messages_is_full() {
    let mut driver = Driver::new(&[], None);
    let piece = b"\0\x06packed".repeat(1024);
    let mut read = 0;
    while !driver.traffic.is_full() {
        driver.read(&piece);
        read += piece.len();
    }
    assert!(
        (READ_LARGEST..READ_LARGEST + piece.len()).contains(&read),
        "{read}"
    );
    driver.take(usize::MAX);
    assert!(!driver.traffic.is_full());
}

/// Commands among messages that nobody takes are served, but do not let a peer have us hold more and more.
#[test]
fn messages_with_commands_among_them_are_full_at_the_same_size() {
    let mut driver = Driver::new(&[], None);
    let piece = [
        b"\0\x06packed",
        &command::ping(std::time::Duration::ZERO, b"")[..],
    ]
    .concat();
    let mut read = 0;
    while !driver.traffic.is_full() {
        driver.read(&piece);
        read += piece.len();
        assert!(read < 2 * READ_LARGEST, "not full after {read} bytes");
    }
    let messages = read / piece.len();
    assert_eq!(driver.commands.len(), messages);
    assert_eq!(driver.take(messages / 2), messages / 2);
    assert!(!driver.traffic.is_full());
    assert_eq!(driver.take(usize::MAX), messages - messages / 2);
}

/// Large bodies that are complete count as much as those that are not.
#[test]
fn large_messages_that_nobody_takes_are_full() {
    let mut driver = Driver::new(&[], None);
    let octets = encode(&[Message::from(body(READ_LARGEST, 0))]);
    driver.read(&octets[..100]);
    assert!(driver.traffic.is_full());
    driver.read(&octets[100..]);
    assert!(driver.traffic.has_messages() && driver.traffic.is_full());
    driver.take(usize::MAX);
    assert!(!driver.traffic.is_full());
}

/// Pieces of a message that wait between commands do not hold the read buffer that they came in.
#[test]
fn a_message_with_commands_between_its_frames_holds_no_read_buffer() {
    let mut driver = Driver::new(&[], None);
    let command = [&header(4, 100_000)[..], b"\x03ANY", &[0; 99_996]].concat();
    for _ in 0..20 {
        driver.read(&[b"\x01\x01a", &command[..]].concat());
    }
    assert!(driver.traffic.buffer.octets.try_reclaim(READ_LARGEST));
    driver.read(b"\0\x01z");
    assert_eq!(driver.take(1), 1);
    assert_eq!(driver.messages[0].len(), 21);
}

/// A small message that is read together with many commands does not hold the read buffer, whoever keeps it waiting.
#[test]
fn a_message_among_many_commands_holds_no_read_buffer() {
    let mut driver = Driver::new(&[], None);
    let ping = command::ping(std::time::Duration::ZERO, &[7; 16]);
    let octets = [&ping.repeat(100), &b"\0\x01a"[..], &ping.repeat(100)].concat();
    let mut segments = VecDeque::new();
    for messages in 1..100 {
        driver.read(&octets);
        driver.traffic.take(usize::MAX, &mut segments);
        assert_eq!(segments.len(), messages);
        assert!(driver.traffic.buffer.octets.try_reclaim(READ_FIRST));
    }
}

/// An idle connection owns no read buffer; a busy one reads more at a time.
#[test]
fn the_read_buffer_grows_while_reads_fill_it_and_is_given_back() {
    let mut traffic = Traffic::new(BytesMut::new(), None);
    let mut offers = Vec::new();
    for _ in 0..8 {
        let mut target = traffic.read_target();
        let offered = Limit::limit(&target);
        offers.push(offered);
        target.put_slice(&b"\0\0".repeat(offered / 2));
        traffic.filled(offered, offered);
        traffic.walk(&mut |_| Ok(None)).unwrap();
        traffic.release();
        assert!(!traffic.buffer.octets.is_empty(), "what was read is kept");
        traffic.take(usize::MAX, &mut VecDeque::new());
    }
    assert_eq!(offers[0], READ_FIRST);
    assert!(
        offers.iter().any(|offer| *offer >= READ_LARGEST),
        "{offers:?}"
    );
    traffic.release();
    assert_eq!(traffic.buffer.octets.capacity(), 0);
}

/// Large bodies that are received and dropped in turn share one piece of memory.
#[test]
fn a_large_body_takes_the_memory_of_the_one_before() {
    let octets = encode(&[Message::from(body(1024 * 1024 + 5, 0))]);
    let mut driver = Driver::new(&[], None);
    let mut addresses = std::collections::HashSet::new();
    for _ in 0..20 {
        driver.read(&octets);
        assert_eq!(driver.take(1), 1);
        addresses.insert(driver.messages.pop().unwrap()[0].as_ptr());
    }
    assert!(addresses.len() <= 3, "{addresses:?}");
}
