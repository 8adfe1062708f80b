//! [`Crowd`]: how many connections of a socket were made from which address, so that one cannot keep all others out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::Arc;

use crate::sync::Mutex;

/// So many handshakes of a socket may be under way from one address, if nobody else needs the room.
const CROWDED: usize = 768;

/// From then on, an address that has more than so many waits until it has fewer: it is refused.
const SHARE: usize = 64;

/// The accepted connections of a socket by address: of IPv6 by the network, of which one host can have all addresses.
#[derive(Debug, Default)]
pub(crate) struct Crowd(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    by_address: HashMap<IpAddr, Counts>,
    /// Over all addresses.
    handshakes: usize,
}

#[derive(Debug, Default)]
struct Counts {
    connections: usize,
    /// Those among them that are not established.
    handshakes: usize,
}

/// A connection that is counted, until it is dropped.
#[derive(Debug)]
pub(crate) struct Visitor {
    crowd: Arc<Crowd>,
    /// None over transports without addresses, where nothing is counted.
    from: Option<IpAddr>,
    shakes_hands: bool,
}

impl Crowd {
    /// Counts a connection whose handshake begins; none if its address has more than its share, or `limit` of them.
    pub(crate) fn enter(
        self: &Arc<Self>,
        from: Option<IpAddr>,
        limit: Option<NonZeroUsize>,
    ) -> Option<Visitor> {
        let from = from.map(network);
        if let Some(address) = from {
            let mut state = self.0.lock();
            let is_crowded = state.handshakes >= CROWDED;
            let counts = state.by_address.entry(address).or_default();
            let is_over = limit.is_some_and(|limit| counts.connections >= limit.get());
            if is_over || (is_crowded && counts.handshakes >= SHARE) {
                return None;
            }
            counts.connections += 1;
            counts.handshakes += 1;
            state.handshakes += 1;
        }
        Some(Visitor {
            crowd: Arc::clone(self),
            from,
            shakes_hands: true,
        })
    }

    fn change(&self, address: IpAddr, change: impl Fn(&mut State, &mut Counts)) {
        let mut state = self.0.lock();
        let Some(mut counts) = state.by_address.remove(&address) else {
            return;
        };
        change(&mut state, &mut counts);
        if counts.connections > 0 {
            state.by_address.insert(address, counts);
        }
    }
}

impl Visitor {
    /// The handshake is over.
    pub(crate) fn has_shaken_hands(&mut self) {
        if std::mem::take(&mut self.shakes_hands)
            && let Some(address) = self.from
        {
            self.crowd.change(address, |state, counts| {
                state.handshakes -= 1;
                counts.handshakes -= 1;
            });
        }
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.has_shaken_hands();
        if let Some(address) = self.from {
            self.crowd
                .change(address, |_, counts| counts.connections -= 1);
        }
    }
}

/// All addresses that one host is likely to have at its disposal.
const fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// R10: an address gets as many connections as the limit says, and another when one of them is gone.
    #[test]
    fn an_address_gets_as_many_as_the_limit_says() {
        let crowd = Arc::new(Crowd::default());
        let limit = NonZeroUsize::new(2);
        for [one, same, other] in [
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"],
            ["2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1"],
        ]
        .map(|texts| texts.map(address))
        {
            let mut first = crowd.enter(one, limit).unwrap();
            first.has_shaken_hands();
            let second = crowd.enter(same, limit).unwrap();
            assert!(crowd.enter(one, limit).is_none());
            assert!(crowd.enter(other, limit).is_some());
            drop(first);
            let _third = crowd.enter(one, limit).unwrap();
            assert!(crowd.enter(same, limit).is_none());
            drop(second);
            assert!(crowd.enter(same, limit).is_some());
        }
        assert!(crowd.0.lock().by_address.is_empty());
        assert_eq!(crowd.0.lock().handshakes, 0);
    }

    /// R10: without addresses nobody is counted.
    #[test]
    fn without_an_address_there_is_no_limit() {
        let crowd = Arc::new(Crowd::default());
        let all: Vec<_> = (0..10 * CROWDED)
            .map(|_| crowd.enter(None, NonZeroUsize::new(1)))
            .collect();
        assert!(all.iter().all(Option::is_some));
    }

    /// R10: one address does not take all handshakes: others find room, and it has room again when its own are over.
    #[test]
    fn one_address_does_not_take_all_handshakes() {
        let crowd = Arc::new(Crowd::default());
        let hostile = address("192.0.2.1");
        let mut many = Vec::new();
        while let Some(visitor) = crowd.enter(hostile, None) {
            many.push(visitor);
        }
        assert_eq!(many.len(), CROWDED);
        let other = address("192.0.2.2");
        let some: Vec<_> = (0..SHARE).map(|_| crowd.enter(other, None)).collect();
        assert!(some.iter().all(Option::is_some));
        assert!(crowd.enter(other, None).is_none());
        drop(some);
        assert!(crowd.enter(hostile, None).is_none());
        drop(many.pop());
        assert!(crowd.enter(hostile, None).is_some());
        many.iter_mut().for_each(Visitor::has_shaken_hands);
        many.push(crowd.enter(hostile, None).unwrap());
        assert_eq!(crowd.0.lock().handshakes, 1);
    }
}
