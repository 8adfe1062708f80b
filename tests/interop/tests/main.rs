//! Interoperability with libzmq and pyzmq. Each test names the rule that it checks.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what is unexpected here fails a test"
)]

mod addresses;
mod collector;
mod conflate;
mod endings;
mod envelopes;
mod fairness;
mod greetings;
mod handshake;
mod heartbeats;
mod marks;
mod monitors;
mod news;
mod pair;
mod pipeline;
mod pirates;
mod proxies;
mod pubsub;
mod reconnect;
mod requests;
mod routers;
mod stream;
mod table;
mod xpub;
