//! [`Subscriber`]: what a SUB or XSUB has subscribed to, and which publishers know it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::io::inproc;
use crate::io::outgoing::{Outgoing, Tell};
use crate::peer::{Link, Peer};
use crate::routing::fan_out::Ask;
use crate::routing::interest::{Filter, Interest, Withdrawn};
use crate::sync::Mutex;

/// The longest topic that can be subscribed to, in bytes.
pub(crate) const TOPIC_MAX: usize = 64 * 1024;

/// How often a publisher is asked whether it has heard.
const ASKED: u64 = 2;

/// A topic is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a topic has at most {TOPIC_MAX} bytes, this one has {len}")]
pub struct TopicTooLong {
    /// How many bytes it has.
    pub len: usize,
}

/// Which publishers have heard of all subscriptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subscribed {
    /// They have said so: whatever they publish from now on is sent to this socket.
    pub confirmed: Vec<Peer>,
    /// They speak ZMTP 3.0 and cannot say so; all that is known is that the subscriptions were handed to the operating
    /// system.
    pub told: Vec<Peer>,
}

/// What a SUB or XSUB has subscribed to; unused by others.
#[derive(Debug, Default)]
pub(crate) struct Subscriber {
    state: Mutex<State>,
    filter: Mutex<Filter>,
    /// The filter is older than the last change.
    is_stale: AtomicBool,
    /// A publisher has heard, or is gone.
    heard: Notify,
}

#[derive(Debug, Default)]
struct State {
    interest: Interest,
    /// The publishers that are told of every change.
    links: Vec<Arc<Link>>,
    /// The last question whether all was heard, and how many wait for answers. Each is asked twice, the second time with
    /// the next number: libzmq answers before it hands on what came before, and has done so when it is asked again.
    barrier: u64,
    waiting: usize,
    closed: bool,
}

/// What one publisher is told, and what it has heard.
#[derive(Debug, Default)]
pub(crate) struct Publisher {
    pub(crate) outgoing: Outgoing,
    /// The last question that it has answered.
    heard: AtomicU64,
}

impl Subscriber {
    /// Subscribes, and tells all publishers, also of what they know already, as libzmq does.
    pub(crate) fn subscribe(&self, topic: &[u8]) -> Result<(), TopicTooLong> {
        if topic.len() > TOPIC_MAX {
            return Err(TopicTooLong { len: topic.len() });
        }
        let topic = Bytes::copy_from_slice(topic);
        let mut state = self.state.lock();
        let is_new = state.interest.add(topic.clone());
        self.is_stale.fetch_or(is_new, Ordering::Release);
        state.tell(&Tell::Subscribe { topic, is_new });
        Ok(())
    }

    /// Takes one subscription back, and tells all publishers if it was the last of its topic, or in any case; tells
    /// whether there was one.
    pub(crate) fn unsubscribe(&self, topic: &[u8], is_verbose: bool) -> bool {
        let topic = Bytes::copy_from_slice(topic);
        let mut state = self.state.lock();
        let withdrawn = state.interest.remove(topic.clone());
        let is_last = withdrawn == Withdrawn::Last;
        self.is_stale.fetch_or(is_last, Ordering::Release);
        if is_last || is_verbose {
            state.tell(&Tell::Cancel { topic, is_last });
        }
        withdrawn != Withdrawn::Unknown
    }

    /// How many different topics are subscribed to.
    pub(crate) fn topics(&self) -> usize {
        self.state.lock().interest.topics().len()
    }

    /// Whether a message with this first frame is wanted.
    #[inline]
    pub(crate) fn accepts(&self, frame: &[u8]) -> bool {
        let mut filter = self.filter.lock();
        if self.is_stale.load(Ordering::Relaxed) && self.is_stale.swap(false, Ordering::Acquire) {
            *filter = self.state.lock().interest.filter();
        }
        filter.accepts(frame)
    }

    /// A new publisher, which is told of each topic once.
    pub(crate) fn add(&self, link: &Arc<Link>) {
        let mut state = self.state.lock();
        let topics = state.interest.topics().cloned();
        let mut tell: Vec<Tell> = topics
            .map(|topic| Tell::Subscribe {
                topic,
                is_new: true,
            })
            .collect();
        if state.waiting > 0 {
            tell.push(Tell::Barrier(state.barrier));
        }
        tell_one(link, tell);
        state.links.push(Arc::clone(link));
        // Over inproc it has heard already.
        self.heard.notify_waiters();
    }

    pub(crate) fn remove(&self, link: &Link) {
        self.state.lock().links.retain(|other| other.id != link.id);
        self.heard.notify_waiters();
    }

    /// A publisher has answered a question: what was before it was heard, or is to be asked for once more.
    pub(crate) fn answered(&self, link: &Link, barrier: u64) {
        let Some(publisher) = &link.publisher else {
            return;
        };
        if barrier.is_multiple_of(ASKED) {
            publisher.outgoing.extend([Tell::Barrier(barrier + 1)]);
        } else {
            self.heard(link, barrier);
        }
    }

    /// A publisher has heard everything up to a question.
    pub(crate) fn heard(&self, link: &Link, barrier: u64) {
        if let Some(publisher) = &link.publisher {
            publisher.heard.fetch_max(barrier, Ordering::Relaxed);
            self.heard.notify_waiters();
        }
    }

    /// Nobody waits for an answer after this.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.heard.notify_waiters();
    }

    /// Waits until so many publishers have heard of all subscriptions that were made before, or the socket is closed.
    ///
    /// Cancel safe: dropped before it is ready, nothing has changed.
    pub(crate) async fn barrier(&self, publishers: usize) -> Subscribed {
        let (barrier, _waiting) = {
            let mut state = self.state.lock();
            state.barrier += ASKED;
            state.waiting += 1;
            let barrier = state.barrier;
            state.tell(&Tell::Barrier(barrier));
            (barrier, Waiting(self))
        };
        loop {
            let mut heard = std::pin::pin!(self.heard.notified());
            heard.as_mut().enable();
            let (subscribed, closed) = {
                let state = self.state.lock();
                (state.heard(barrier), state.closed)
            };
            if closed || subscribed.confirmed.len() + subscribed.told.len() >= publishers {
                return subscribed;
            }
            heard.await;
        }
    }
}

/// One who waits for answers.
struct Waiting<'a>(&'a Subscriber);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state.lock().waiting -= 1;
    }
}

impl State {
    fn tell(&self, what: &Tell) {
        for link in &self.links {
            tell_one(link, [what.clone()]);
        }
    }

    fn heard(&self, barrier: u64) -> Subscribed {
        let mut subscribed = Subscribed::default();
        for link in &self.links {
            let heard = link
                .publisher
                .as_ref()
                .is_some_and(|publisher| publisher.heard.load(Ordering::Relaxed) >= barrier);
            let list = if link.facts.minor > 0 {
                &mut subscribed.confirmed
            } else {
                &mut subscribed.told
            };
            list.extend(heard.then(|| Peer(Arc::clone(link))));
        }
        subscribed
    }
}

/// Tells one publisher: by its session, or at once if it is a socket of this process.
fn tell_one(link: &Arc<Link>, what: impl IntoIterator<Item = Tell>) {
    let Some(publisher) = &link.publisher else {
        return;
    };
    if !link.is_inproc() {
        publisher.outgoing.extend(what);
        return;
    }
    for tell in what {
        match tell {
            Tell::Subscribe { topic, .. } => inproc::ask(link, Ask::Subscribe, &topic),
            Tell::Cancel { topic, .. } => inproc::ask(link, Ask::Cancel, &topic),
            Tell::Barrier(number) => {
                publisher.heard.fetch_max(number, Ordering::Relaxed);
            }
        }
    }
}
