//! [`Driver`]: the session's part, played by tests and fuzz targets.

use std::collections::VecDeque;

use bytes::{BufMut, BytesMut, buf::Limit};

use super::{PeerMisbehaved, Traffic};
use crate::Message;
use crate::decode::Decoder;

/// Reads octets as a session does, and keeps what comes of them.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) traffic: Traffic,
    pub(crate) messages: Vec<Message>,
    /// The bodies of all commands.
    pub(crate) commands: Vec<Vec<u8>>,
    /// Nothing is read after it.
    pub(crate) fault: Option<PeerMisbehaved>,
    decoder: Decoder,
}

impl Driver {
    pub(crate) fn new(early: &[u8], max_frame: Option<u64>) -> Self {
        let mut driver = Self {
            traffic: Traffic::new(BytesMut::from(early), max_frame),
            messages: Vec::new(),
            commands: Vec::new(),
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
        let ended = segments.back().is_none_or(|last| last.boundary);
        assert!(ended, "what is taken ends at a message boundary");
        assert!(announced <= room, "no more is taken than there is room for");
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
        let commands = &mut self.commands;
        let walked = self.traffic.walk(&mut |body| {
            commands.push(body.to_vec());
            Ok(())
        });
        self.fault = walked.err();
    }
}
