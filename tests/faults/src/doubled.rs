//! [`Doubled`]: octets of ZMTP 3, in which every message is there twice.

/// Octets of a greeting.
const GREETING: usize = 64;

const MORE: u8 = 1;
const LONG: u8 = 2;
const COMMAND: u8 = 4;

/// One direction of a connection. Greeting and commands come once, messages twice; each once it is whole, but for the
/// greeting, whose parts answer one another.
#[derive(Debug)]
pub(crate) struct Doubled {
    /// What is not whole yet.
    waiting: Vec<u8>,
    /// The first octet in it that is no part of a whole frame.
    frame: usize,
    /// Octets of the greeting that did not come yet.
    greeting: usize,
}

impl Default for Doubled {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            frame: 0,
            greeting: GREETING,
        }
    }
}

impl Doubled {
    /// What comes out when this goes in.
    pub(crate) fn pass(&mut self, octets: &[u8]) -> Vec<u8> {
        let (greeting, frames) = octets.split_at(self.greeting.min(octets.len()));
        self.greeting -= greeting.len();
        self.waiting.extend_from_slice(frames);
        let mut out = greeting.to_vec();
        while let Some((flags, length)) = frame(&self.waiting[self.frame..]) {
            self.frame += length;
            if flags & MORE == 0 {
                let whole: Vec<_> = self.waiting.drain(..self.frame).collect();
                out.extend_from_slice(&whole);
                if flags & COMMAND == 0 {
                    out.extend_from_slice(&whole);
                }
                self.frame = 0;
            }
        }
        out
    }
}

/// The flags of the first frame and its length with its header, if all of it is there.
fn frame(octets: &[u8]) -> Option<(u8, usize)> {
    let flags = *octets.first()?;
    let (header, body) = match flags & LONG {
        0 => (2, usize::from(*octets.get(1)?)),
        _ => {
            let size = octets.get(1..9)?.try_into().ok()?;
            (9, usize::try_from(u64::from_be_bytes(size)).ok()?)
        }
    };
    let length = header + body;
    (octets.len() >= length).then_some((flags, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_doubled_however_they_arrive() {
        let greeting = [7; GREETING];
        let ready = [&[COMMAND, 3][..], b"\x02OK"].concat();
        let many = [&[MORE, 2][..], b"ab", &[LONG, 0, 0, 0, 0, 0, 0, 0, 1], b"c"].concat();
        let single = [&[0, 0][..]].concat();
        let all = [&greeting[..], &ready, &many, &single].concat();
        let expected = [&greeting[..], &ready, &many, &many, &single, &single].concat();
        for piece in 1..all.len() {
            let mut doubled = Doubled::default();
            let out: Vec<_> = all
                .chunks(piece)
                .flat_map(|octets| doubled.pass(octets))
                .collect();
            assert_eq!(out, expected, "pieces of {piece}");
        }
    }
}
