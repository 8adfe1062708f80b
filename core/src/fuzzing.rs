//! What the fuzz targets of `core/fuzz` drive; only there with `--cfg fuzzing`, which `cargo fuzz` sets.

use bytes::BytesMut;

use crate::zmtp::handshake::{Handshake, Local, Remote};
use crate::{HandshakeError, SocketType};

/// What a handshake made of its input, to be compared: the peer or the error, what was left, what was said.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    result: Result<Option<Remote>, HandshakeError>,
    unread: BytesMut,
    output: Vec<u8>,
}

/// Gives the chunks in turn to the handshake of a socket of the type of this number, modulo their count.
pub fn handshake<'a>(socket_type: u8, chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut types = SocketType::ALL.into_iter().cycle();
    let mut handshake = Handshake::new(Local {
        socket_type: types.nth(socket_type.into()).unwrap_or(SocketType::Pair),
        routing_id: None,
        properties: Vec::new(),
    });
    let mut unread = BytesMut::new();
    let mut result = Ok(None);
    let mut output = Vec::new();
    output.extend(handshake.take_output().unwrap_or_default());
    for chunk in chunks {
        unread.extend_from_slice(chunk);
        if matches!(result, Ok(None)) {
            result = handshake.handle_input(&mut unread);
            output.extend(handshake.take_output().unwrap_or_default());
        }
    }
    Outcome {
        result,
        unread,
        output,
    }
}
