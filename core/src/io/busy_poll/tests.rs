//! When an answer is looked for; and that a thread stays awake as long.
#![expect(clippy::disallowed_methods, reason = "tests need a clock")]

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::*;
use crate::io::connection::busy_poller;
use crate::io::memory::MemoryStream;
use crate::io::session::tests::{options, raw_peer};
use crate::routing::traits;
use crate::sync::Mutex;
use crate::{BusyPoll, Context, ReqSocket, SocketOptions, SocketType};

const LIMIT: Duration = Duration::from_micros(50);
const QUICKLY: Duration = Duration::from_micros(10);
const STEP: Duration = Duration::from_micros(1);

struct Peer {
    busy_poller: BusyPoller,
    now: Instant,
}

impl Peer {
    fn new() -> Self {
        Self {
            busy_poller: BusyPoller::new(LIMIT),
            now: Instant::now(),
        }
    }

    /// Asks, and looks for the answer as long as that is worth it; tells how long that was.
    fn answers_after(&mut self, time: Duration) -> Duration {
        let asked = self.now;
        self.busy_poller.wrote(asked);
        let looks = self.busy_poller.is_looking();
        while self.now < asked + time && self.busy_poller.look_again(self.now) {
            self.now += STEP;
        }
        let looked = self.now - asked;
        assert_eq!(looks, !looked.is_zero());
        self.now = asked + time;
        self.busy_poller.read(self.now);
        looked
    }

    /// After how many quick answers one is looked for.
    fn quick_ones_needed(&mut self) -> u32 {
        let mut answers = 0;
        while self.answers_after(QUICKLY).is_zero() {
            answers += 1;
        }
        answers
    }
}

#[test]
fn answers_are_looked_for_while_they_are_quick() {
    let mut peer = Peer::new();
    assert_eq!(peer.quick_ones_needed(), QUICK);
    for _ in 0..100 {
        assert_eq!(peer.answers_after(QUICKLY), QUICKLY);
    }
}

/// Who sleeps hears of it late; who is awake does not.
#[test]
fn what_is_slept_for_may_take_longer() {
    let mut peer = Peer::new();
    for _ in 0..QUICK {
        assert_eq!(peer.answers_after(LIMIT * LATE), Duration::ZERO);
    }
    assert_eq!(peer.answers_after(LIMIT - STEP), LIMIT - STEP);
    let mut peer = Peer::new();
    for _ in 0..100 {
        assert_eq!(peer.answers_after(LIMIT * LATE + STEP), Duration::ZERO);
    }
}

/// A slow answer is waited for no longer than the limit, and each next one only after more quick ones.
#[test]
fn what_is_in_vain_becomes_seldom() {
    let mut peer = Peer::new();
    let mut needed = QUICK;
    for _ in 0..12 {
        assert_eq!(peer.quick_ones_needed(), needed);
        assert_eq!(peer.answers_after(LIMIT * 10), LIMIT);
        assert_eq!(peer.answers_after(LIMIT * 10), Duration::ZERO);
        // The one that was found in between has reset that.
        needed = QUICK * 2;
    }

    let mut peer = Peer::new();
    let mut needed = QUICK;
    for _ in 0..12 {
        for _ in 0..needed {
            assert_eq!(peer.answers_after(QUICKLY), Duration::ZERO);
        }
        assert_eq!(peer.answers_after(LIMIT * 10), LIMIT);
        needed = (needed * 2).min(QUICK_MAX);
    }
    assert_eq!(peer.quick_ones_needed(), QUICK_MAX);
    assert_eq!(peer.answers_after(LIMIT), LIMIT);
}

/// So it is if something else kept the thread from looking until the answer was there, late.
#[test]
fn a_late_answer_that_is_read_at_once_was_looked_for_in_vain() {
    let mut peer = Peer::new();
    let mut needed = QUICK;
    for _ in 0..3 {
        for _ in 0..needed {
            assert_eq!(peer.answers_after(QUICKLY), Duration::ZERO);
        }
        assert!(peer.busy_poller.is_expected());
        peer.busy_poller.wrote(peer.now);
        peer.now += LIMIT + STEP;
        peer.busy_poller.read(peer.now);
        assert!(!peer.busy_poller.is_expected());
        needed *= 2;
    }
}

/// What comes of itself tells nothing of answers, and nothing is looked for where nothing was asked.
#[test]
fn only_answers_count() {
    let mut peer = Peer::new();
    for _ in 0..100 {
        peer.busy_poller.read(peer.now);
        assert!(!peer.busy_poller.look_again(peer.now));
    }
    assert_eq!(peer.quick_ones_needed(), QUICK);
    assert!(!peer.busy_poller.is_looking());
    assert!(!peer.busy_poller.look_again(peer.now));
}

/// It counts from the first message that is not answered.
#[test]
fn more_messages_do_not_make_the_wait_longer() {
    let mut peer = Peer::new();
    assert_eq!(peer.quick_ones_needed(), QUICK);
    let asked = peer.now;
    peer.busy_poller.wrote(asked);
    while peer.busy_poller.look_again(peer.now) {
        peer.now += STEP;
        peer.busy_poller.wrote(peer.now);
    }
    assert_eq!(peer.now - asked, LIMIT);
}

#[test]
fn what_is_forgotten_is_not_looked_for() {
    let mut peer = Peer::new();
    assert_eq!(peer.quick_ones_needed(), QUICK);
    peer.busy_poller.wrote(peer.now);
    peer.busy_poller.forget();
    assert!(!peer.busy_poller.look_again(peer.now + LIMIT));
    assert_eq!(peer.answers_after(QUICKLY), QUICKLY);
}

/// Those whose peers answer, over what the kernel brings.
#[tokio::test]
async fn requests_and_replies_are_looked_for() {
    let (usual, runtime) = (SocketOptions::new(), Handle::current());
    let told = SocketOptions::new().busy_poll(BusyPoll::For(LIMIT));
    // With one processor, nobody.
    let has_processors = usual.busy_poll_limit(true, &runtime).is_some();
    for socket_type in SocketType::ALL {
        let traits = traits(socket_type);
        let alternates = matches!(socket_type, SocketType::Req | SocketType::Rep);
        let tcp = busy_poller::<TcpStream>(&usual, traits, &runtime);
        assert_eq!(tcp.is_some(), alternates && has_processors, "{socket_type}");
        let memory = busy_poller::<MemoryStream>(&usual, traits, &runtime);
        assert!(memory.is_none(), "{socket_type}");
        let told = busy_poller::<MemoryStream>(&told, traits, &runtime);
        assert!(told.is_some(), "{socket_type}");
    }
}

/// How often it is tried whether a thread sleeps: something else may hold it up at times.
const TRIES: usize = 10;

/// In how many tries a thread that had asked a quick peer, or had only said that it is alive, did not sleep before a
/// millisecond had passed.
fn tries_awake(busy_poll: BusyPoll, asks: bool) -> usize {
    let watch = Arc::new(Mutex::new(None::<oneshot::Sender<Instant>>));
    let watching = Arc::clone(&watch);
    let sleeps = move || {
        if let Some(watcher) = watching.lock().take() {
            watcher.send(Instant::now()).unwrap();
        }
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(sleeps)
        .build();
    runtime.unwrap().block_on(async {
        let context = Context::new();
        let options = options(&context).busy_poll(busy_poll);
        let req = ReqSocket::with_options(options).unwrap();
        req.bind("memory://there").await.unwrap();
        let mut peer = raw_peer(&context, SocketType::Router).await;
        let mut awake = 0;
        for _ in 0..TRIES {
            for _ in 0..QUICK * 4 {
                req.send("?").await.unwrap();
                peer.write_all(b"\x01\0\0\x01!").await.unwrap();
                req.recv().await.unwrap();
            }
            let (watcher, asleep) = oneshot::channel();
            *watch.lock() = Some(watcher);
            let begun = Instant::now();
            if asks {
                req.send("?").await.unwrap();
            } else {
                // It answers with a PONG.
                peer.write_all(b"\x04\x07\x04PING\0\0").await.unwrap();
            }
            let asleep = asleep.await.unwrap();
            awake += usize::from(asleep >= begun + Duration::from_millis(1));
            if asks {
                peer.write_all(b"\x01\0\0\x01!").await.unwrap();
                req.recv().await.unwrap();
            }
        }
        awake
    })
}

#[test]
fn a_thread_does_not_sleep_while_an_answer_is_looked_for() {
    let longest = BusyPoll::For(Duration::from_millis(1));
    let awake = tries_awake(longest, true);
    assert!(awake > TRIES / 2, "{awake} of {TRIES}");
    for (busy_poll, asks) in [(BusyPoll::Off, true), (longest, false)] {
        let awake = tries_awake(busy_poll, asks);
        assert!(
            awake <= TRIES / 2,
            "{awake} of {TRIES}: {busy_poll:?}, {asks}"
        );
    }
}
