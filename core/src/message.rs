//! [`Message`]: one or more frames, sent and received as a whole.

use crate::Frame;

/// One or more frames, which travel together: all of them arrive or none.
///
/// A message of one frame needs no memory beside that frame.
///
/// # Example
/// ```
/// use privateer_core::{Frame, Message};
///
/// let single = Message::from("hello");
/// assert_eq!(single.len(), 1);
///
/// let message: Message = [Frame::from("key"), Frame::empty(), Frame::from("value")].into();
/// assert_eq!(message.len(), 3);
/// assert_eq!(message[2], "value");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message(Repr);

#[derive(Clone, Debug)]
enum Repr {
    One(Frame),
    /// Never empty; may hold a single frame.
    Many(Vec<Frame>),
}

impl PartialEq for Repr {
    fn eq(&self, other: &Self) -> bool {
        self.frames() == other.frames()
    }
}

impl Eq for Repr {}

impl std::hash::Hash for Repr {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.frames().hash(state);
    }
}

impl Repr {
    fn frames(&self) -> &[Frame] {
        match self {
            Self::One(frame) => std::slice::from_ref(frame),
            Self::Many(frames) => frames,
        }
    }
}

impl Message {
    /// The frames in order; there is always at least one.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        self.0.frames()
    }

    /// The frame at `index`, if the message has that many.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Frame> {
        self.frames().get(index)
    }

    /// How many frames: 1 or more.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a message is never without a frame"
    )]
    pub fn len(&self) -> usize {
        self.frames().len()
    }

    /// The bytes of all bodies together, without framing.
    #[must_use]
    pub fn byte_len(&self) -> usize {
        self.frames().iter().map(Frame::len).sum()
    }

    /// Appends a frame.
    pub fn push(&mut self, frame: impl Into<Frame>) {
        match &mut self.0 {
            Repr::Many(frames) => frames.push(frame.into()),
            Repr::One(first) => self.0 = Repr::Many(vec![std::mem::take(first), frame.into()]),
        }
    }

    /// The first frame, and the message that the others make, if there are others.
    #[must_use]
    pub fn split_first(self) -> (Frame, Option<Self>) {
        match self.0 {
            Repr::One(frame) => (frame, None),
            Repr::Many(mut frames) => {
                let first = frames.remove(0);
                (first, Self::from_frames(frames))
            }
        }
    }

    /// The message that is left without so many frames at the beginning, if one is.
    pub(crate) fn without_first(self, frames: usize) -> Option<Self> {
        if frames == 0 {
            return Some(self);
        }
        Self::from_frames(self.into_frames().into_iter().skip(frames).collect())
    }

    /// All frames.
    #[must_use]
    pub fn into_frames(self) -> Vec<Frame> {
        match self.0 {
            Repr::One(frame) => vec![frame],
            Repr::Many(frames) => frames,
        }
    }

    /// The message of these frames, or none if there are none.
    #[must_use]
    pub fn from_frames(frames: Vec<Frame>) -> Option<Self> {
        (!frames.is_empty()).then_some(Self(Repr::Many(frames)))
    }

    /// The same message in memory of its own: see [`Frame::detach`].
    #[must_use]
    pub fn detach(self) -> Self {
        match self.0 {
            Repr::One(frame) => Self(Repr::One(frame.detach())),
            Repr::Many(frames) => Self(Repr::Many(frames.into_iter().map(Frame::detach).collect())),
        }
    }
}

impl std::ops::Index<usize> for Message {
    type Output = Frame;

    /// # Panics
    /// Panics if the message has no frame at `index`; [`Message::get`] does not.
    fn index(&self, index: usize) -> &Frame {
        &self.frames()[index]
    }
}

impl<T: Into<Frame>> From<T> for Message {
    fn from(frame: T) -> Self {
        Self(Repr::One(frame.into()))
    }
}

impl<const N: usize> From<[Frame; N]> for Message {
    /// Zero frames make a message of one empty frame.
    fn from(frames: [Frame; N]) -> Self {
        Self::from_frames(frames.into()).unwrap_or_else(|| Self::from(Frame::empty()))
    }
}

impl<'a> IntoIterator for &'a Message {
    type Item = &'a Frame;
    type IntoIter = std::slice::Iter<'a, Frame>;

    fn into_iter(self) -> Self::IntoIter {
        self.frames().iter()
    }
}

impl IntoIterator for Message {
    type Item = Frame;
    type IntoIter = std::vec::IntoIter<Frame>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_frames().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_at_most_56_bytes() {
        assert!(size_of::<Message>() <= 56);
    }

    #[test]
    fn one_frame_equals_a_list_of_one() {
        assert_eq!(
            Some(Message::from("a")),
            Message::from_frames(vec![Frame::from("a")])
        );
        assert_eq!(Message::from_frames(Vec::new()), None);
    }

    #[test]
    fn push_and_split_first_are_inverse() {
        let mut message = Message::from("a");
        message.push("b");
        message.push("c");
        let (first, rest) = message.split_first();
        assert_eq!(first, "a");
        assert_eq!(rest, Some([Frame::from("b"), Frame::from("c")].into()));
        assert_eq!(Message::from("x").split_first(), (Frame::from("x"), None));
    }

    #[test]
    fn byte_len_counts_bodies() {
        assert_eq!(
            Message::from([Frame::from("ab"), Frame::empty(), Frame::from("c")]).byte_len(),
            3
        );
    }
}
