//! [`SocketOptions`] of requests, replies and routing ids.

use super::SocketOptions;

impl SocketOptions {
    /// Whether sending to a peer that is not there, or whose pipe is full, is an error that gives the message back;
    /// otherwise the message is dropped and counted.
    /// - Default: on; libzmq's is off, which loses messages in silence
    /// - Applies to: ROUTER
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_ROUTER_MANDATORY`
    #[must_use]
    pub const fn router_mandatory(mut self, mandatory: bool) -> Self {
        self.router_mandatory = mandatory;
        self
    }

    /// Lets a newcomer take over the routing id of a connected peer, whose connection is then closed; otherwise the
    /// newcomer is refused.
    /// - Default: off
    /// - Applies to: ROUTER, REP
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_ROUTER_HANDOVER`
    #[must_use]
    pub const fn router_handover(mut self) -> Self {
        self.router_handover = true;
        self
    }

    /// Gives each peer a routing id of this socket's making, whatever the peer calls itself, so that those who call
    /// themselves alike do not get in each other's way.
    /// - Default: off
    /// - Applies to: ROUTER, REP
    /// - Takes effect: when the socket is made
    /// - libzmq: none
    #[must_use]
    pub const fn router_names_all(mut self) -> Self {
        self.router_names_all = true;
        self
    }

    /// Makes a REQ socket keep strictly to one request, one reply, as libzmq's does unless told otherwise.
    ///
    /// Without it a new request abandons the one before, and replies are matched with requests.
    /// - Default: off
    /// - Applies to: REQ
    /// - Takes effect: when the socket is made
    /// - libzmq: the opposite of `ZMQ_REQ_RELAXED` together with `ZMQ_REQ_CORRELATE`
    #[must_use]
    pub const fn req_lockstep(mut self) -> Self {
        self.req_lockstep = true;
        self
    }
}
