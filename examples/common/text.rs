//! A message as a line of text.

use privateer::core::Message;

/// Its frames with tabs between them; bytes that are not printable as `\xNN`.
pub(crate) fn text(message: &Message) -> String {
    let frames: Vec<_> = message
        .frames()
        .iter()
        .map(|frame| printable(frame))
        .collect();
    frames.join("\t")
}

fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character.is_control() {
                true => escape(&mut text, character.encode_utf8(&mut [0; 4]).as_bytes()),
                false => text.push(character),
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

fn escape(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(&format!("\\x{byte:02x}"));
    }
}
