//! [`ServiceName`]: what a service is called. PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use std::fmt;

use privateer_core::Frame;

use super::protocol::{is_reserved, is_service_name};

/// What a service is called: 1 to 255 bytes, compared as they are (RFC 7).
///
/// Names that begin with `mmi.` belong to the broker (RFC 8): clients may ask for them, workers may not offer them.
///
/// # Example
/// ```
/// use privateer::majordomo::ServiceName;
///
/// assert!(ServiceName::new("echo").is_ok());
/// assert!(ServiceName::new("").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceName(Frame);

/// These bytes cannot be the name of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a service has 1 to 255 bytes, this one has {len}")]
pub struct InvalidServiceName {
    /// How many bytes there were.
    pub len: usize,
}

impl ServiceName {
    /// The name of these bytes.
    ///
    /// # Errors
    /// [`InvalidServiceName`] if there are no bytes or more than 255; there is no other.
    pub fn new(name: impl Into<Frame>) -> Result<Self, InvalidServiceName> {
        let name = name.into().detach();
        match is_service_name(&name) {
            true => Ok(Self(name)),
            false => Err(InvalidServiceName { len: name.len() }),
        }
    }

    /// Whether it belongs to the broker itself.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        is_reserved(&self.0)
    }

    /// The name as a frame.
    #[must_use]
    pub const fn as_frame(&self) -> &Frame {
        &self.0
    }
}

/// As text, with escapes for what is not ASCII.
impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_1_to_255_bytes() {
        assert!(ServiceName::new(vec![0xff; 255]).is_ok());
        assert_eq!(
            ServiceName::new(vec![b'x'; 256]),
            Err(InvalidServiceName { len: 256 })
        );
        assert!(ServiceName::new("mmi.service").unwrap().is_reserved());
        assert!(!ServiceName::new("mmi").unwrap().is_reserved());
    }
}
