//! How a stream without frames counts messages: by octets.

use crate::Result;
use crate::work::SocketKind;

/// Octets of one write, and of one read at most.
pub(super) const PIECE: usize = 64 * 1024;

/// Octets that are owed to a peer, or that have arrived from it and are not yet counted.
pub(super) struct Tally {
    size: usize,
    per_message: usize,
    octets: usize,
    whole_pieces_only: bool,
}

impl Tally {
    pub(super) fn new(kind: SocketKind, size: usize) -> Self {
        // RFC 37, Framing: one octet of flags, then a size of one octet up to 255, else of eight.
        let header = if size <= 255 { 2 } else { 9 };
        let whole_pieces_only = !matches!(kind, SocketKind::Req | SocketKind::Rep);
        Self {
            size,
            per_message: header + size,
            octets: 0,
            whole_pieces_only,
        }
    }

    /// So many messages are to be written.
    pub(super) fn owe(&mut self, count: usize) {
        self.octets += count * self.per_message;
    }

    /// How much to write next. One way, less than a piece waits for the next messages.
    pub(super) fn next_piece(&mut self) -> Option<usize> {
        let piece = self.octets.min(PIECE);
        if piece == 0 || (self.whole_pieces_only && piece < PIECE) {
            return None;
        }
        self.octets -= piece;
        Some(piece)
    }

    /// Whether more must be read before so many messages are complete.
    pub(super) fn lacks(&self, count: usize) -> bool {
        self.octets < count * self.per_message
    }

    /// So many octets have been read.
    pub(super) fn arrived(&mut self, octets: usize) -> Result<()> {
        self.octets += octets;
        if octets == 0 {
            Err("the peer closed the connection".into())
        } else {
            Ok(())
        }
    }

    /// Counts so many messages; returns the octets of their bodies.
    pub(super) fn take(&mut self, count: usize) -> usize {
        self.octets -= count * self.per_message;
        count * self.size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_only_whole_pieces_are_written() {
        let mut tally = Tally::new(SocketKind::Push, 16);
        tally.owe(PIECE / 18);
        assert_eq!(tally.next_piece(), None);
        tally.owe(PIECE / 18);
        assert_eq!(tally.next_piece(), Some(PIECE));
        assert_eq!(tally.next_piece(), None);
    }

    #[test]
    fn a_round_trip_is_written_at_once() {
        let mut tally = Tally::new(SocketKind::Req, 64);
        tally.owe(1);
        assert_eq!(tally.next_piece(), Some(66));
        assert_eq!(tally.next_piece(), None);
    }

    #[test]
    fn what_is_read_too_much_counts_for_the_next_messages() {
        let mut tally = Tally::new(SocketKind::Pull, 1000);
        tally.arrived(1500).unwrap();
        assert!(!tally.lacks(1));
        assert_eq!(tally.take(1), 1000);
        assert!(tally.lacks(1));
        tally.arrived(518).unwrap();
        assert!(!tally.lacks(1));
        assert!(tally.arrived(0).is_err());
    }
}
