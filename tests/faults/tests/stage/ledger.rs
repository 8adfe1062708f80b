//! [`Ledger`]: who sent what, and whether it arrived as it should.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use privateer::core::{Frame, Message};
use tokio::time::Instant;

/// Who sent what, and what became of it.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<Books>);

/// The messages that one socket sends to whoever is next, or to one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stream(u64);

/// How large messages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// One frame of 16 bytes, and at most one more of less than that.
    Small,
    /// Up to dozens of frames and megabytes.
    All,
}

/// A socket that receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Receiver(u64);

#[derive(Debug)]
struct Books {
    /// When the play began.
    begun: Instant,
    streams: BTreeMap<Stream, Page>,
    /// The first and the last number of a stream on one connection of a receiver.
    seen: BTreeMap<(Stream, Receiver), BTreeMap<u64, (u64, u64)>>,
    opened: u64,
    /// A digest of all that was written here.
    trace: u64,
    received: u64,
}

/// The messages of one stream.
#[derive(Debug, Default)]
struct Page {
    /// The number of the first message that is still known.
    base: u64,
    fates: VecDeque<Fate>,
    account: Account,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Somebody tries to send it.
    Open,
    /// `send` was ready.
    Accepted,
    /// `send` failed, or was dropped before it was ready.
    Withdrawn,
    /// It has arrived.
    Received,
}

/// What became of the messages of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) accepted: u64,
    pub(crate) received: u64,
}

/// Messages of a stream whose fates are known at a time.
const WINDOW: usize = 100_000;

impl Ledger {
    /// An empty one, of a play that begins now.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Books {
            begun: Instant::now(),
            streams: BTreeMap::new(),
            seen: BTreeMap::new(),
            opened: 0,
            trace: 0,
            received: 0,
        }))
    }

    /// A new stream, of messages of all sizes or of small ones.
    pub(crate) fn open(&self, sizes: Sizes) -> Stream {
        let mut books = self.books();
        books.opened += 1;
        let stream = Stream(books.opened * 2 + u64::from(sizes == Sizes::Small));
        books.streams.insert(stream, Page::default());
        stream
    }

    /// A new receiver.
    pub(crate) fn receiver(&self) -> Receiver {
        let mut books = self.books();
        books.opened += 1;
        Receiver(books.opened)
    }

    /// The next message of a stream, which somebody tries to send.
    pub(crate) fn compose(&self, stream: Stream) -> (u64, Message) {
        let mut books = self.books();
        let page = books.page(stream);
        let number = page.base + page.fates.len() as u64;
        let message = compose(stream, number);
        page.fates.push_back(Fate::Open);
        if page.fates.len() > WINDOW {
            page.fates.pop_front();
            page.base += 1;
        }
        (number, message)
    }

    /// What came of trying to send a message.
    pub(crate) fn settle(&self, stream: Stream, number: u64, accepted: bool) {
        let mut books = self.books();
        books.write(&[1, stream.0, number, accepted.into()]);
        let page = books.page(stream);
        let fate = page.fate(number);
        match (*fate, accepted) {
            (Fate::Open, true) => *fate = Fate::Accepted,
            (Fate::Open, false) => *fate = Fate::Withdrawn,
            // It arrived before its sender knew that it was sent.
            (Fate::Received, true) => {}
            (fate, _) => panic!("{stream:?} {number} was {fate:?}, then accepted: {accepted}"),
        }
        if accepted {
            page.account.accepted += 1;
        }
    }

    /// Checks a message that has arrived for good from the only place where the receiver gets this stream from.
    ///
    /// A later connection has the higher number, and brings what was not wholly sent on the earlier ones.
    pub(crate) fn receive(&self, receiver: Receiver, connection: u64, message: &Message) {
        let (stream, number) = read(message);
        let mut books = self.books();
        books.arrive(stream, number, receiver);
        books.in_order(stream, number, receiver, connection);
        books.fits(stream, number, receiver, connection);
    }

    /// Checks a message that has come back for good, from one of several places.
    pub(crate) fn receive_reply(&self, receiver: Receiver, connection: u64, message: &Message) {
        let (stream, number) = read(message);
        let mut books = self.books();
        books.arrive(stream, number, receiver);
        books.in_order(stream, number, receiver, connection);
    }

    /// Checks the only message that may come back now.
    pub(crate) fn receive_answer(&self, receiver: Receiver, request: &Message, reply: &Message) {
        assert_eq!(reply, request);
        let (stream, number) = read(reply);
        self.books().arrive(stream, number, receiver);
    }

    /// Checks a message that has arrived at one of several places, from the only one where the receiver gets this stream
    /// from; returns its stream and number.
    pub(crate) fn receive_copy(
        &self,
        receiver: Receiver,
        connection: u64,
        message: &Message,
    ) -> (Stream, u64) {
        let (stream, number) = self.look(receiver, message);
        let mut books = self.books();
        books.in_order(stream, number, receiver, connection);
        books.fits(stream, number, receiver, connection);
        (stream, number)
    }

    /// Checks a request that may be there again on another connection.
    pub(crate) fn receive_request(&self, receiver: Receiver, connection: u64, message: &Message) {
        let (stream, number) = self.look(receiver, message);
        self.books().in_order(stream, number, receiver, connection);
    }

    /// Checks a message that is on its way, and may be there more than once; returns its stream and number.
    pub(crate) fn look(&self, receiver: Receiver, message: &Message) -> (Stream, u64) {
        let (stream, number) = read(message);
        let mut books = self.books();
        books.write(&[3, stream.0, number, receiver.0]);
        books.received += 1;
        let fate = books.page(stream).fate(number);
        assert_ne!(*fate, Fate::Withdrawn, "{stream:?} {number} arrived");
        (stream, number)
    }

    /// Whether a message has arrived.
    pub(crate) fn has_arrived(&self, stream: Stream, number: u64) -> bool {
        self.books().page(stream).fate(number) == &Fate::Received
    }

    /// What became of a stream so far.
    pub(crate) fn account(&self, stream: Stream) -> Account {
        self.books().page(stream).account
    }

    /// How many messages have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.books().received
    }

    /// Counts messages that have arrived and are no message of a stream.
    pub(crate) fn count(&self, messages: u64) {
        let mut books = self.books();
        books.received += messages;
        books.write(&[4, messages]);
    }

    /// A digest of all that happened, in its order.
    pub(crate) fn trace(&self) -> u64 {
        self.books().trace
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// A message has arrived, which it does once.
    fn arrive(&mut self, stream: Stream, number: u64, receiver: Receiver) {
        self.write(&[2, stream.0, number, receiver.0]);
        self.received += 1;
        let page = self.page(stream);
        let fate = page.fate(number);
        assert!(
            matches!(fate, Fate::Open | Fate::Accepted),
            "{stream:?} {number} arrived, but it was {fate:?}"
        );
        *fate = Fate::Received;
        page.account.received += 1;
    }

    /// On one connection a later message has a higher number.
    fn in_order(&mut self, stream: Stream, number: u64, receiver: Receiver, connection: u64) {
        let connections = self.seen.entry((stream, receiver)).or_default();
        let (_, last) = connections
            .entry(connection)
            .and_modify(|(_, last)| {
                assert!(
                    *last < number,
                    "{stream:?} {number} arrived after {last} on one connection"
                );
            })
            .or_insert((number, number));
        *last = number;
    }

    /// A later connection has higher numbers.
    fn fits(&self, stream: Stream, number: u64, receiver: Receiver, connection: u64) {
        let connections = &self.seen[&(stream, receiver)];
        let mut earlier = connections.range(..connection);
        let mut later = connections.range(connection + 1..);
        let fits = earlier
            .next_back()
            .is_none_or(|(_, (_, last))| *last < number)
            && later.next().is_none_or(|(_, (first, _))| number < *first);
        assert!(
            fits,
            "{stream:?} {number} came on the wrong connection: {connections:?}"
        );
    }

    fn page(&mut self, stream: Stream) -> &mut Page {
        let page = self.streams.get_mut(&stream);
        page.unwrap_or_else(|| panic!("{stream:?} is no stream"))
    }

    fn write(&mut self, what: &[u64]) {
        let time = self.begun.elapsed().as_micros() as u64;
        for word in what.iter().chain(&[time]) {
            self.trace = (self.trace ^ word)
                .wrapping_mul(0x0100_0000_01b3)
                .rotate_left(23);
        }
    }
}

impl Page {
    fn fate(&mut self, number: u64) -> &mut Fate {
        let index = number
            .checked_sub(self.base)
            .and_then(|index| usize::try_from(index).ok());
        let fate = index.and_then(|index| self.fates.get_mut(index));
        fate.unwrap_or_else(|| panic!("{number} was never sent, or long ago"))
    }
}

/// A message that is all determined by its stream and number: one frame that tells them, and perhaps more.
fn compose(stream: Stream, number: u64) -> Message {
    let head = [stream.0.to_be_bytes(), number.to_be_bytes()].concat();
    let mut message = Message::from(head);
    for (size, octet) in tail(stream, number) {
        message.push(Frame::from(vec![octet; size]));
    }
    message
}

/// Sizes and contents of the frames behind the first.
fn tail(stream: Stream, number: u64) -> impl Iterator<Item = (usize, u8)> {
    let mut rng = Rng::with_seed(stream.0 ^ number.rotate_left(32));
    let is_small = stream.0 % 2 == 1;
    let frames = match rng.u8(..) {
        0..150 => 0,
        _ if is_small => 1,
        150..220 => 1,
        220..250 => rng.usize(2..5),
        _ => rng.usize(5..40),
    };
    (0..frames).map(move |_| {
        let size = match rng.u8(..) {
            _ if is_small => rng.usize(0..16),
            0..40 => 0,
            40..140 => rng.usize(1..64),
            140..200 => rng.usize(64..1_000),
            200..245 => rng.usize(1_000..9_000),
            _ => rng.usize(9_000..80_000),
        };
        (size, rng.u8(..))
    })
}

/// The stream and number of a message, all of which has to be as it was.
fn read(message: &Message) -> (Stream, u64) {
    let word = |index: usize| {
        let octets = message[0].get(index * 8..index * 8 + 8).unwrap();
        u64::from_be_bytes(octets.try_into().unwrap())
    };
    assert_eq!(message[0].len(), 16, "{message:?}");
    let (stream, number) = (Stream(word(0)), word(1));
    let torn = message != &compose(stream, number);
    assert!(!torn, "{stream:?} {number} is torn: {message:?}");
    (stream, number)
}

mod tests;
