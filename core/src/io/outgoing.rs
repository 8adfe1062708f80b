//! [`Outgoing`]: what a SUB or XSUB has to tell one publisher, on its way to the session.
//!
//! It is apart from the pipe, so that no high-water mark ever drops a subscription.

use std::collections::{HashMap, VecDeque};
use std::task::Waker;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use crate::sync::Mutex;
use crate::zmtp::command;
use crate::zmtp::frame::put_header;

/// What waits to be told to one publisher.
///
/// It holds at most the topics that the publisher knows and those that are wanted, twice, and [`TIDY_FROM`] more:
/// beyond that, what is taken back before it was told is not told at all.
#[derive(Debug, Default)]
pub(crate) struct Outgoing(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Tell>,
    /// Once there are so many, those that make no difference go.
    tidy_at: usize,
    reader: Option<Waker>,
}

/// One thing to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// A subscription; whether the publisher does not know the topic.
    Subscribe { topic: Bytes, is_new: bool },
    /// The end of one; whether it is the last of its topic.
    Cancel { topic: Bytes, is_last: bool },
    /// A question whose answer shows that everything before has been heard.
    Barrier(u64),
}

/// What is told before it is looked at again whether the peer takes it, in bytes.
const AT_ONCE: usize = 16 * 1024;
/// Fewer than this are never tidied up.
const TIDY_FROM: usize = 1024;

impl Outgoing {
    pub(crate) fn extend(&self, what: impl IntoIterator<Item = Tell>) {
        let reader = {
            let mut state = self.0.lock();
            state.queue.extend(what);
            if state.queue.len() >= state.tidy_at.max(TIDY_FROM) {
                tidy(&mut state.queue);
                state.tidy_at = state.queue.len() * 2;
            }
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Moves what waits, as a peer of this minor version understands it, behind `out`, up to [`AT_ONCE`]; `reader` is
    /// called when there is more, if nothing is left.
    ///
    /// ZMTP 3.0 has no question that a peer would answer: the number of one is returned, and nothing behind it is moved.
    pub(crate) fn take(&self, out: &mut BytesMut, minor: u8, reader: &Waker) -> Option<u64> {
        let mut state = self.0.lock();
        while out.len() < AT_ONCE {
            let Some(tell) = state.queue.pop_front() else {
                state.reader = Some(reader.clone());
                break;
            };
            match tell {
                Tell::Barrier(number) if minor == 0 => return Some(number),
                Tell::Barrier(number) => {
                    out.put(command::ping(Duration::ZERO, &number.to_be_bytes()))
                }
                Tell::Subscribe { topic, .. } if minor == 0 => put_message(out, 1, &topic),
                Tell::Cancel { topic, .. } if minor == 0 => put_message(out, 0, &topic),
                Tell::Subscribe { topic, .. } => out.put(command::subscribe(&topic)),
                Tell::Cancel { topic, .. } => out.put(command::cancel(&topic)),
            }
        }
        None
    }
}

/// A subscription as ZMTP 3.0 has it: a message.
fn put_message(out: &mut BytesMut, first: u8, topic: &[u8]) {
    put_header(out, false, 1 + topic.len());
    out.put_u8(first);
    out.put_slice(topic);
}

/// Removes what makes no difference: what is told again, questions but the last, topics that end as they began.
fn tidy(queue: &mut VecDeque<Tell>) {
    // The last change of each topic, and how many there are: they alternate.
    let mut changes: HashMap<Bytes, (usize, usize)> = HashMap::new();
    let mut barrier = None;
    for (index, tell) in queue.iter().enumerate() {
        match tell {
            Tell::Subscribe {
                topic,
                is_new: true,
            }
            | Tell::Cancel {
                topic,
                is_last: true,
            } => {
                let (last, count) = changes.entry(topic.clone()).or_default();
                *last = index;
                *count += 1;
            }
            Tell::Subscribe { .. } | Tell::Cancel { .. } => {}
            Tell::Barrier(_) => barrier = Some(index),
        }
    }
    let mut index = 0;
    queue.retain(|tell| {
        let at = index;
        index += 1;
        match tell {
            Tell::Subscribe { topic, .. } | Tell::Cancel { topic, .. } => changes
                .get(topic)
                .is_some_and(|(last, count)| *last == at && count % 2 == 1),
            Tell::Barrier(_) => barrier == Some(at),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str) -> Bytes {
        Bytes::copy_from_slice(name.as_bytes())
    }

    fn subscribe(name: &str, is_new: bool) -> Tell {
        Tell::Subscribe {
            topic: topic(name),
            is_new,
        }
    }

    fn cancel(name: &str, is_last: bool) -> Tell {
        Tell::Cancel {
            topic: topic(name),
            is_last,
        }
    }

    fn taken(outgoing: &Outgoing, minor: u8) -> (Vec<u8>, Option<u64>) {
        let mut out = BytesMut::new();
        let barrier = outgoing.take(&mut out, minor, Waker::noop());
        (out.to_vec(), barrier)
    }

    /// W20, byte by byte.
    #[test]
    fn a_peer_is_told_in_its_own_version() {
        let tell = [
            subscribe("A", true),
            cancel("A", true),
            Tell::Barrier(7),
            subscribe("", true),
        ];
        let outgoing = Outgoing::default();
        outgoing.extend(tell.clone());
        let told = b"\x04\x0B\x09SUBSCRIBEA\x04\x08\x06CANCELA\x04\x0F\x04PING\0\0\0\0\0\0\0\0\0\x07\x04\x0A\x09SUBSCRIBE";
        assert_eq!(taken(&outgoing, 1), (told.to_vec(), None));
        outgoing.extend(tell);
        assert_eq!(
            taken(&outgoing, 0),
            (b"\0\x02\x01A\0\x02\0A".to_vec(), Some(7))
        );
        assert_eq!(taken(&outgoing, 0), (b"\0\x01\x01".to_vec(), None));
    }

    /// W21: libzmq 4.3.5 writes a topic of 255 octets to such a peer without the flag of a long size.
    #[test]
    fn a_long_topic_has_a_long_size() {
        for (len, header) in [
            (254, vec![0, 255]),
            (255, vec![2, 0, 0, 0, 0, 0, 0, 1, 0]),
            (65_536, vec![2, 0, 0, 0, 0, 0, 1, 0, 1]),
        ] {
            let outgoing = Outgoing::default();
            outgoing.extend([subscribe(&"t".repeat(len), true)]);
            let (told, _) = taken(&outgoing, 0);
            assert_eq!(told, [header, vec![1], vec![b't'; len]].concat());
        }
    }

    #[test]
    fn a_peer_that_does_not_listen_is_owed_no_more_than_makes_a_difference() {
        let outgoing = Outgoing::default();
        outgoing.extend([subscribe("kept", true), cancel("left", true)]);
        for round in 0..100 * TIDY_FROM {
            let name = round.to_string();
            outgoing.extend([
                subscribe(&name, true),
                subscribe("kept", false),
                subscribe("left", true),
                Tell::Barrier(round as u64),
                cancel("left", true),
                cancel(&name, true),
            ]);
            assert!(outgoing.0.lock().queue.len() < 2 * TIDY_FROM);
        }
        tidy(&mut outgoing.0.lock().queue);
        let mut left = outgoing.0.lock().queue.clone();
        left.retain(|tell| !matches!(tell, Tell::Barrier(_)));
        assert_eq!(left, [subscribe("kept", true), cancel("left", true)]);
    }
}
