//! [`Driver`]: the session's part, played by tests and fuzz targets.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut, buf::Limit};

use super::{Aside, PeerMisbehaved, Subscriptions, Traffic};
use crate::Message;
use crate::decode::Decoder;
use crate::zmtp::frame::put_header;

/// Reads octets as a session does, and keeps what comes of them.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) traffic: Traffic,
    pub(crate) messages: Vec<Message>,
    /// The bodies of all commands.
    pub(crate) commands: Vec<Vec<u8>>,
    /// The bodies of all subscriptions; each is also a message, in its place.
    pub(crate) subscriptions: Vec<Vec<u8>>,
    /// Nothing is read after it.
    pub(crate) fault: Option<PeerMisbehaved>,
    decoder: Decoder,
}

impl Driver {
    pub(crate) fn new(early: &[u8], max_frame: Option<u64>) -> Self {
        Self::publisher(early, max_frame, Subscriptions::Ignored)
    }

    /// Of a socket that looks for subscriptions.
    pub(crate) fn publisher(
        early: &[u8],
        max_frame: Option<u64>,
        subscriptions: Subscriptions,
    ) -> Self {
        let mut traffic = Traffic::new(BytesMut::from(early), max_frame);
        traffic.set_subscriptions(subscriptions);
        let mut driver = Self {
            traffic,
            messages: Vec::new(),
            commands: Vec::new(),
            subscriptions: Vec::new(),
            fault: None,
            decoder: Decoder::default(),
        };
        driver.walk();
        driver
    }

    /// Reads `octets`, in as many reads as they take.
    pub(crate) fn read(&mut self, octets: &[u8]) {
        let mut unread = octets;
        while !unread.is_empty() && self.fault.is_none() {
            let mut target = self.traffic.read_target();
            let offered = Limit::limit(&target);
            let (now, later) = unread.split_at(offered.min(unread.len()));
            target.put_slice(now);
            self.traffic.filled(now.len(), offered);
            unread = later;
            self.walk();
        }
    }

    /// Takes and decodes at most `room` messages; returns how many.
    pub(crate) fn take(&mut self, room: usize) -> usize {
        let mut segments = VecDeque::new();
        self.traffic.take(room, &mut segments);
        let announced: usize = segments.iter().map(|segment| segment.messages).sum();
        let events = segments.iter().filter(|segment| segment.is_event).count();
        let ended = segments.back().is_none_or(|last| last.boundary);
        assert!(ended, "what is taken ends at a message boundary");
        assert!(
            announced - events <= room,
            "no more is taken than there is room for"
        );
        self.decoder.segments.append(&mut segments);
        let before = self.messages.len();
        while let Some(message) = self.decoder.next() {
            self.messages.push(message);
        }
        let taken = self.messages.len() - before;
        assert_eq!(
            taken, announced,
            "segments know how many messages end in them"
        );
        taken
    }

    fn walk(&mut self) {
        let (commands, subscriptions) = (&mut self.commands, &mut self.subscriptions);
        let walked = self.traffic.walk(&mut |aside| {
            Ok(match aside {
                Aside::Command(body) => {
                    commands.push(body.to_vec());
                    None
                }
                Aside::Subscription(body) => {
                    subscriptions.push(body.to_vec());
                    Some(encoded(body))
                }
            })
        });
        self.fault = walked.err();
    }
}

/// A message of one frame.
fn encoded(body: &[u8]) -> Bytes {
    let mut octets = BytesMut::new();
    put_header(&mut octets, false, body.len());
    octets.put_slice(body);
    octets.freeze()
}
