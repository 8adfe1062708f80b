//! [`SocketOptions`] of what a peer is told: a name, properties.

use bytes::Bytes;

use super::SocketOptions;
use crate::routing_id::RoutingId;

/// A READY property that cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProperty {
    /// Applications may only use names that begin with `X-` (RFC 37).
    #[error("the name of a property must begin with \"X-\"")]
    Reserved,
    /// The name has more than 255 bytes, or bytes other than letters, digits and `-_.+`.
    #[error("the name of a property has at most 255 letters, digits, and - _ . +")]
    Name,
    /// All properties together would make READY longer than a command may be.
    #[error("the value of a property has at most 16384 bytes")]
    TooLong,
}

impl SocketOptions {
    /// By what name a peer's ROUTER addresses this socket.
    /// - Default: none; the ROUTER gives one to each connection
    /// - Range: 1 to 255 bytes; the first is not zero
    /// - Applies to: REQ, DEALER, ROUTER
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_ROUTING_ID`
    #[must_use]
    pub fn routing_id(mut self, id: RoutingId) -> Self {
        self.routing_id = Some(id);
        self
    }

    /// A property of this socket's READY, which peers see as [`Peer::property`](crate::Peer::property).
    /// - Default: none
    /// - Range: names of 3 to 255 bytes; 16 KiB of values, all together
    /// - Applies to: all sockets
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_METADATA`
    ///
    /// # Errors
    /// [`InvalidProperty`] if the name does not begin with `X-` or is no name, or if the value has more than 16 KiB;
    /// there is no other.
    pub fn property(
        mut self,
        name: impl Into<String>,
        value: impl Into<Bytes>,
    ) -> Result<Self, InvalidProperty> {
        let (name, value) = (name.into(), value.into());
        let legal = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.+".contains(&octet);
        if !name
            .get(..2)
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case("X-"))
        {
            return Err(InvalidProperty::Reserved);
        }
        if name.len() > 255 || !name.bytes().all(legal) {
            return Err(InvalidProperty::Name);
        }
        let held: usize = self
            .properties
            .iter()
            .filter(|(other, _)| !other.eq_ignore_ascii_case(&name))
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if held + name.len() + value.len() > PROPERTY_MAX {
            return Err(InvalidProperty::TooLong);
        }
        self.properties
            .retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
        self.properties.push((name, value));
        Ok(self)
    }
}

/// Bytes of one property's value.
const PROPERTY_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_need_a_name_of_their_own() {
        let options = SocketOptions::new();
        assert!(options.clone().property("X-Version", "1").is_ok());
        let refused = |name: &str, value: Vec<u8>| options.clone().property(name, value).err();
        assert_eq!(refused("Identity", vec![]), Some(InvalidProperty::Reserved));
        assert_eq!(refused("X-\u{e9}", vec![]), Some(InvalidProperty::Name));
        assert_eq!(
            refused("X-a", vec![0; PROPERTY_MAX + 1]),
            Some(InvalidProperty::TooLong)
        );
    }
}
