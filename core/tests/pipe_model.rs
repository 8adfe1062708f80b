//! Models of the pipe between threads: wake-ups that could be lost, edges of full and empty, races with the end.
//!
//! The pipe is compiled here against locks that a model checker controls, which tries many orders of the threads and
//! fails when all of them wait. (So the unit tests of the files below run here once more.)
#![allow(
    dead_code,
    unnameable_types,
    unreachable_pub,
    unfulfilled_lint_expectations,
    reason = "only a part of what these files hold is used here"
)]
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Wake, Waker};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::Condvar;
use shuttle::thread::{self, JoinHandle};
use shuttle::{Config, Runner};

use decode::Decoder;
use frame::Frame;
use message::Message;
use pipe::{Limits, Pipe, Refused, Taken};
use segment::Segment;

#[path = "../src/conflated.rs"]
mod conflated;
#[path = "../src/decode.rs"]
mod decode;
#[path = "../src/encoded.rs"]
mod encoded;
#[path = "../src/frame.rs"]
mod frame;
#[path = "../src/message.rs"]
mod message;
#[path = "../src/pipe/mod.rs"]
mod pipe;
#[path = "../src/segment.rs"]
mod segment;

/// Of the same shape as `core/src/sync.rs`.
mod sync {
    use std::sync::PoisonError;

    use shuttle::sync::MutexGuard;

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }
}

#[path = "../src/zmtp"]
mod zmtp {
    pub(crate) mod frame;
}

/// Tries `model` in many orders of its threads.
fn check(model: impl Fn() + Clone + Send + Sync + 'static) {
    fn run(scheduler: impl Scheduler + 'static, model: impl Fn() + Send + Sync + 'static) {
        let mut config = Config::default();
        config.stack_size = 256 * 1024;
        Runner::new(scheduler, config).run(model);
    }
    run(RandomScheduler::new(2000), model.clone());
    run(PctScheduler::new(3, 2000), model);
}

/// What a waiting task is: it sleeps until it is woken, at least once since it looked.
///
/// Several may share one, as the senders of a socket share its bell; then each wake-up is for one of them.
#[derive(Default)]
struct Bell {
    rung: sync::Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock();
        while !std::mem::take(&mut *rung) {
            rung = self.changed.wait(rung).unwrap();
        }
    }

    fn ring(&self) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }
}

fn limits(hwm: usize) -> Limits {
    Limits {
        messages: NonZeroUsize::new(hwm),
        bytes: None,
    }
}

/// A pipe with this high-water mark (0 for none), and the bell of its writers.
fn pipe(hwm: usize) -> (Arc<Pipe>, Arc<Bell>) {
    let pipe = Pipe::new(limits(hwm), Arc::default());
    let bell = Arc::<Bell>::default();
    pipe.set_writer(Waker::from(Arc::clone(&bell)));
    (Arc::new(pipe), bell)
}

/// Publishes as a socket's `send` does; returns how many messages went in before the end.
fn send(pipe: &Pipe, bell: &Bell, writer: u8, messages: u8) -> u8 {
    for number in 0..messages {
        let message = Message::from([writer, number]);
        loop {
            match pipe.publish(&[], &message) {
                Ok(()) => break,
                Err(Refused::Full) => bell.wait(),
                Err(Refused::Closed) => {
                    bell.ring();
                    return number;
                }
            }
        }
        // There may be room for those who wait beside this one.
        bell.ring();
    }
    messages
}

fn sender(pipe: &Arc<Pipe>, bell: &Arc<Bell>, writer: u8, messages: u8) -> JoinHandle<u8> {
    let (pipe, bell) = (Arc::clone(pipe), Arc::clone(bell));
    thread::spawn(move || send(&pipe, &bell, writer, messages))
}

/// How a reader returns the credit of what it has received.
#[derive(Clone, Copy)]
enum Credit {
    /// For all of it, with the next take: a session that has written.
    WithTake,
    /// For so many at a time, and the rest with the next take: a receiving socket.
    Every(usize),
}

/// Takes until the end, and never more than `hwm` at once (0 for any number); returns each message's octets.
fn receive(pipe: &Pipe, hwm: usize, credit: Credit) -> Vec<[u8; 2]> {
    let bell = Arc::<Bell>::default();
    let waker = Waker::from(Arc::clone(&bell));
    let mut decoder = Decoder::default();
    let mut received = Vec::new();
    let mut owed = 0;
    loop {
        while let Some(message) = decoder.next() {
            received.push(message[0].as_slice().try_into().unwrap());
            owed += 1;
            if matches!(credit, Credit::Every(count) if owed >= count) {
                pipe.credit((std::mem::take(&mut owed), decoder.take_consumed()));
            }
        }
        let credit = (std::mem::take(&mut owed), decoder.take_consumed());
        match pipe.take(&mut decoder.segments, credit, Some(&waker)) {
            Taken::Some => {
                let held: usize = decoder
                    .segments
                    .iter()
                    .map(|segment| segment.messages)
                    .sum();
                assert!(
                    hwm == 0 || held <= hwm,
                    "{held} messages over a mark of {hwm}"
                );
            }
            Taken::Empty => bell.wait(),
            Taken::Finished => return received,
        }
    }
}

fn receiver(pipe: &Arc<Pipe>, hwm: usize, credit: Credit) -> JoinHandle<Vec<[u8; 2]>> {
    let pipe = Arc::clone(pipe);
    thread::spawn(move || receive(&pipe, hwm, credit))
}

/// The messages of one writer, which are to be in order.
fn of(writer: u8, received: &[[u8; 2]]) -> Vec<u8> {
    let its = received.iter().filter(|message| message[0] == writer);
    its.map(|message| message[1]).collect()
}

/// A reader sleeps only when it found nothing; whatever is published after that wakes it.
#[test]
fn a_reader_of_an_empty_pipe_is_woken() {
    check(|| {
        let (pipe, bell) = pipe(0);
        let receiver = receiver(&pipe, 0, Credit::WithTake);
        assert_eq!(send(&pipe, &bell, 0, 3), 3);
        pipe.finish();
        assert_eq!(of(0, &receiver.join().unwrap()), [0, 1, 2]);
        assert_eq!(pipe.counts().queued, 0);
    });
}

/// A writer at the mark sleeps, and is woken at the low-water mark, however the credit returns.
#[test]
fn a_writer_of_a_full_pipe_is_woken() {
    for hwm in 1..4_usize {
        for credit in [
            Credit::WithTake,
            Credit::Every(hwm.div_ceil(2)),
            Credit::Every(1),
        ] {
            check(move || {
                let (pipe, bell) = pipe(hwm);
                let receiver = receiver(&pipe, hwm, credit);
                assert_eq!(send(&pipe, &bell, 0, 5), 5);
                pipe.finish();
                assert_eq!(of(0, &receiver.join().unwrap()), [0, 1, 2, 3, 4]);
            });
        }
    }
}

/// One wake-up at the low-water mark is enough for all that wait, if each that got in wakes the next.
#[test]
fn several_writers_of_a_full_pipe_all_get_in() {
    for hwm in [1, 2] {
        check(move || {
            let (pipe, bell) = pipe(hwm);
            let receiver = receiver(&pipe, hwm, Credit::WithTake);
            let senders: Vec<_> = (0..3)
                .map(|writer| sender(&pipe, &bell, writer, 2))
                .collect();
            for sender in senders {
                assert_eq!(sender.join().unwrap(), 2);
            }
            pipe.finish();
            let received = receiver.join().unwrap();
            for writer in 0..3 {
                assert_eq!(of(writer, &received), [0, 1]);
            }
        });
    }
}

/// What was accepted before the end is received, nothing else is, and nobody sleeps on.
#[test]
fn the_end_races_with_writers_and_the_reader() {
    for hwm in [0, 1, 2] {
        check(move || {
            let (pipe, bell) = pipe(hwm);
            let receiver = receiver(&pipe, hwm, Credit::WithTake);
            let senders = [0, 1].map(|writer| sender(&pipe, &bell, writer, 2));
            pipe.finish();
            let accepted = senders.map(|sender| sender.join().unwrap());
            let received = receiver.join().unwrap();
            for (writer, accepted) in [0, 1].into_iter().zip(accepted) {
                assert_eq!(of(writer, &received), (0..accepted).collect::<Vec<_>>());
            }
        });
    }
}

/// Nobody reads any more, so no credit returns: the end itself wakes those who wait for room.
#[test]
fn the_end_wakes_writers_of_a_pipe_that_nobody_reads() {
    check(|| {
        let (pipe, bell) = pipe(1);
        let senders = [0, 1].map(|writer| sender(&pipe, &bell, writer, 2));
        pipe.finish();
        let accepted = senders.map(|sender| sender.join().unwrap());
        assert!(accepted.iter().sum::<u8>() <= 1);
        assert_eq!(
            pipe.counts().queued,
            usize::from(accepted.iter().sum::<u8>())
        );
    });
}

/// A session asks for room and then appends; being the only writer, it never passes the mark.
#[test]
fn a_session_appends_as_much_as_there_is_room_for() {
    for hwm in [1, 2, 3] {
        check(move || {
            let (pipe, _) = pipe(hwm);
            let receiver = receiver(&pipe, hwm, Credit::Every(hwm.div_ceil(2)));
            let bell = Arc::<Bell>::default();
            let waker = Waker::from(Arc::clone(&bell));
            let mut next = 0..5;
            while !next.is_empty() {
                let room = pipe.room(&waker);
                if room == 0 {
                    bell.wait();
                    continue;
                }
                let batch: Vec<u8> = next.by_ref().take(room).collect();
                let octets: Vec<u8> = batch.iter().flat_map(|number| [0, 2, 7, *number]).collect();
                pipe.append(&mut [Segment::shared(octets.into(), batch.len(), true)].into());
                assert!(pipe.counts().queued <= hwm);
            }
            pipe.finish();
            assert_eq!(of(7, &receiver.join().unwrap()), [0, 1, 2, 3, 4]);
        });
    }
}

/// However pausing falls, a writer that waits goes on when the pipe is resumed.
#[test]
fn a_writer_of_a_paused_pipe_is_woken_when_it_is_resumed() {
    check(|| {
        let (pipe, bell) = pipe(2);
        let receiver = receiver(&pipe, 2, Credit::WithTake);
        let sender = sender(&pipe, &bell, 0, 4);
        pipe.set_paused(true);
        thread::yield_now();
        pipe.set_paused(false);
        assert_eq!(sender.join().unwrap(), 4);
        pipe.finish();
        assert_eq!(receiver.join().unwrap().len(), 4);
    });
}

/// An inproc pipe gets the rest of its mark when the other side is bound, with nobody reading yet.
#[test]
fn a_writer_is_woken_by_a_higher_mark() {
    check(|| {
        let (pipe, bell) = pipe(1);
        let sender = sender(&pipe, &bell, 0, 3);
        pipe.set_limits(limits(4));
        assert_eq!(sender.join().unwrap(), 3);
    });
}

/// Two heartbeats that are due at once are one heartbeat.
#[test]
fn only_one_of_two_finds_a_pipe_idle() {
    check(|| {
        let (pipe, _) = pipe(4);
        let publish = |pipe: Arc<Pipe>| move || pipe.publish_if_idle(&Message::from("HB"));
        let both = [0, 1].map(|_| thread::spawn(publish(Arc::clone(&pipe))));
        let published = both.map(|thread| thread.join().unwrap().unwrap());
        assert_eq!(published.iter().filter(|published| **published).count(), 1);
    });
}

/// A pipe outlives its connection: the next session finds what came while there was none, or is woken.
#[test]
fn the_next_session_finds_what_the_last_one_was_woken_for() {
    check(|| {
        let (pipe, bell) = pipe(0);
        let sender = sender(&pipe, &bell, 0, 2);
        let gone = Waker::from(Arc::<Bell>::default());
        let mut segments = VecDeque::new();
        let taken = pipe.take(&mut segments, (0, 0), Some(&gone));
        let messages: usize = segments.iter().map(|segment| segment.messages).sum();
        assert_eq!(taken == Taken::Empty, messages == 0);
        let receiver = receiver(&pipe, 0, Credit::WithTake);
        assert_eq!(sender.join().unwrap(), 2);
        pipe.finish();
        assert_eq!(messages + receiver.join().unwrap().len(), 2);
    });
}
