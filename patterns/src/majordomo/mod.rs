//! Majordomo: services by name, behind a broker (RFC 7).

mod announcement;
pub mod protocol;

pub use announcement::{EXTENSION, PROPERTY, PeerFacts};
