//! The broker's own answers: the Majordomo management interface (RFC 8). PURE.
#![deny(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use privateer_core::Message;

use super::{BrokerMachine, PeerKey};
use crate::majordomo::protocol::ClientMessage;

impl BrokerMachine {
    /// Answers a request for a name that begins with `mmi.`: at once, however full the queues are, and with exactly one
    /// frame, however many were sent.
    pub(super) fn answer(&mut self, to: PeerKey, question: ClientMessage) {
        self.stats.management += 1;
        let status = match question.service.as_slice() {
            b"mmi.service" => self.service_status(question.body.as_ref()),
            _ => "501",
        };
        let reply = ClientMessage {
            body: Some(Message::from(status)),
            ..question
        };
        self.send(to, reply.into_message());
    }

    /// 200 if the service that is named has a worker; as with the reference broker, the last frame is the name.
    fn service_status(&self, body: Option<&Message>) -> &'static str {
        let name = body.and_then(|body| body.frames().last());
        let service = name.and_then(|name| self.services.get(*self.names.get(name)?));
        match service {
            Some(service) if service.workers > 0 => "200",
            _ => "404",
        }
    }
}
