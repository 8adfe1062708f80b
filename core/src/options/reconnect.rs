//! [`SocketOptions`] of connecting again: when, and after what not.

use std::collections::BTreeMap;

use super::SocketOptions;
use crate::monitor::FailureClass;

/// What an endpoint does that is not connected (any more).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReconnectPolicy {
    /// It tries again, after waits that become longer.
    Retry,
    /// It tries again, after about the longest wait each time.
    RetryAtLongest,
    /// It gives up, and the socket forgets it; `connect` can begin anew.
    Stop,
}

impl SocketOptions {
    /// What a connected endpoint does after a failure of this class.
    ///
    /// May be given for each class. Whatever is chosen, an event tells: [`Retrying`] or [`GivenUp`].
    /// - Default: none; every class is `Retry`, but for [`Denied`](FailureClass::Denied), which is `RetryAtLongest`
    /// - Range: `Retry` to `Stop`
    /// - Applies to: connected endpoints over tcp and ipc
    /// - Takes effect: when the socket is made
    /// - libzmq: `ZMQ_RECONNECT_STOP`
    ///
    /// [`Retrying`]: crate::SocketEvent::Retrying
    /// [`GivenUp`]: crate::SocketEvent::GivenUp
    #[must_use]
    pub fn reconnect_policy(mut self, class: FailureClass, policy: ReconnectPolicy) -> Self {
        self.reconnect_policy.insert(class, policy);
        self
    }

    /// What to do after a failure of this class.
    pub(crate) fn policy(&self, class: FailureClass) -> ReconnectPolicy {
        let usual = match class {
            FailureClass::Denied => ReconnectPolicy::RetryAtLongest,
            _ => ReconnectPolicy::Retry,
        };
        self.reconnect_policy.get(&class).copied().unwrap_or(usual)
    }
}

/// What differs from the usual, by class.
pub(crate) type Policies = BTreeMap<FailureClass, ReconnectPolicy>;
