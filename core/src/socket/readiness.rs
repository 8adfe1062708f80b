//! Waiting for readiness alone, where libzmq has `ZMQ_FD` and `ZMQ_EVENTS`.

/// What the types do that send to whichever peer has room.
macro_rules! send_ready {
    ($name:ident) => {
        impl $name {
            /// Waits until a peer has room for a message, or the socket is closed.
            ///
            /// Somebody else may be first to use it: [`try_send`](Self::try_send) tells.
            ///
            /// # Cancel safety
            /// It changes nothing, dropped or not.
            pub async fn send_ready(&self) {
                self.core.outbox.ready().await;
            }
        }
    };
}

/// What the types do that receive messages alone.
macro_rules! recv_ready {
    ($name:ident) => {
        impl $name {
            /// Waits until a message is there to be received, or the socket is closed.
            ///
            /// Somebody else may be first to take it: [`try_recv`](Self::try_recv) tells.
            ///
            /// # Cancel safety
            /// It changes nothing, dropped or not.
            pub async fn recv_ready(&self) {
                self.core.inbox.ready(false).await;
            }
        }
    };
}

/// What the types do whose owner is told of peers in order with their messages.
macro_rules! recv_event_ready {
    ($name:ident) => {
        impl $name {
            /// Waits until a message is there to be received, or a peer came or went, or the socket is closed.
            ///
            /// Somebody else may be first to take it: [`try_recv_event`](Self::try_recv_event) tells.
            /// [`try_recv`](Self::try_recv), which passes over peers, may find nothing.
            ///
            /// # Cancel safety
            /// It changes nothing, dropped or not.
            pub async fn recv_ready(&self) {
                self.core.inbox.ready(true).await;
            }
        }
    };
}

pub(crate) use {recv_event_ready, recv_ready, send_ready};
