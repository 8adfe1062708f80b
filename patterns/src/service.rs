//! [`Service`]: what a worker does with requests, as frames or as values.
//!
//! Between a typed client and a typed service a request is two frames and a reply is two, all in MessagePack with named
//! fields:
//!
//! ```text
//! request  [ {"v": 1, "method": "add", "key": bin 16} ] [ arguments ]
//! reply    [ {"v": 1, "status": "ok"} ]                 [ result, or a text that tells what went wrong ]
//! ```

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use privateer_core::{Frame, Message};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of the layout of typed requests and replies.
pub(crate) const VERSION: u8 = 1;

/// What a worker offers: a name, and what to do with requests.
///
/// # Example
/// ```
/// use privateer::Service;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Divide { dividend: i64, divisor: i64 }
///
/// let calc = Service::new("calc")
///     .method("divide", |Divide { dividend, divisor }: Divide| async move {
///         dividend.checked_div(divisor).ok_or("division by zero")
///     })
///     .method("negate", |number: i64| async move { Ok::<_, String>(-number) });
/// ```
#[derive(Clone)]
pub struct Service {
    name: Frame,
    handler: Handler,
}

/// A future on the heap.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Message> + Send>>;

#[derive(Clone)]
enum Handler {
    Frames(Arc<dyn Fn(Message) -> Answer + Send + Sync>),
    Methods(HashMap<String, Method>),
}

type Method = Arc<dyn Fn(&[u8]) -> Answer + Send + Sync>;

/// How a typed call ended on the side of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// The result follows.
    Ok,
    /// The method returned an error, whose text follows.
    Failed,
    /// The service has no such method.
    NoMethod,
    /// The arguments are not those of the method.
    BadRequest,
    /// The method panicked.
    Panicked,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RequestHeader<'a> {
    pub(crate) v: u8,
    pub(crate) method: &'a str,
    /// Names the call, so that a repeat of it can be recognised: a UUID of version 7.
    #[serde(with = "key")]
    pub(crate) key: [u8; 16],
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReplyHeader {
    pub(crate) v: u8,
    pub(crate) status: Status,
}

impl Service {
    /// A service with methods, which [`method`](Self::method) adds.
    #[must_use]
    pub fn new(name: impl Into<Frame>) -> Self {
        Self {
            name: name.into(),
            handler: Handler::Methods(HashMap::new()),
        }
    }

    /// A service that gets each request as its frames, and answers with frames: for clients of any kind.
    ///
    /// If `handler` panics, the worker leaves the broker and comes back, so that the request goes to another worker.
    ///
    /// # Example
    /// ```
    /// use privateer::Service;
    ///
    /// let echo = Service::frames("echo", |request| async move { request });
    /// ```
    #[must_use]
    pub fn frames<F, A>(name: impl Into<Frame>, handler: F) -> Self
    where
        F: Fn(Message) -> A + Send + Sync + 'static,
        A: Future<Output = Message> + Send + 'static,
    {
        let handler = Arc::new(move |request| -> Answer { Box::pin(handler(request)) });
        Self {
            name: name.into(),
            handler: Handler::Frames(handler),
        }
    }

    /// Adds a method. Arguments and result are MessagePack; an error reaches the caller as its text.
    ///
    /// Methods of a service of frames have no effect. A method of the same name is replaced.
    #[must_use]
    pub fn method<F, A, Q, R, E>(mut self, name: impl Into<String>, method: F) -> Self
    where
        F: Fn(Q) -> A + Clone + Send + Sync + 'static,
        A: Future<Output = Result<R, E>> + Send + 'static,
        Q: DeserializeOwned + Send,
        R: Serialize,
        E: fmt::Display,
    {
        let call = move |arguments: &[u8]| -> Answer {
            match rmp_serde::from_slice::<Q>(arguments) {
                Ok(arguments) => {
                    let answer = method(arguments);
                    Box::pin(async move { outcome(answer.await) })
                }
                Err(error) => {
                    let reply = failure(Status::BadRequest, &error.to_string());
                    Box::pin(async move { reply })
                }
            }
        };
        if let Handler::Methods(methods) = &mut self.handler {
            methods.insert(name.into(), Arc::new(call));
        }
        self
    }

    /// The name, as it was given.
    #[must_use]
    pub const fn name(&self) -> &Frame {
        &self.name
    }

    /// Begins to work on a request.
    pub(crate) fn handle(&self, request: Message) -> Answer {
        match &self.handler {
            Handler::Frames(handler) => handler(request),
            Handler::Methods(methods) => dispatch(methods, &request),
        }
    }

    /// What a caller is told whose request made the handler panic; none if the layout of replies is not ours.
    pub(crate) fn panicked(&self) -> Option<Message> {
        match &self.handler {
            Handler::Frames(_) => None,
            Handler::Methods(_) => Some(failure(Status::Panicked, "the method panicked")),
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn dispatch(methods: &HashMap<String, Method>, request: &Message) -> Answer {
    let refuse = |status, text: &str| -> Answer {
        let reply = failure(status, text);
        Box::pin(async move { reply })
    };
    let [header, arguments] = request.frames() else {
        return refuse(
            Status::BadRequest,
            "a typed request has two frames: header and arguments",
        );
    };
    let Ok(header) = rmp_serde::from_slice::<RequestHeader<'_>>(header) else {
        return refuse(
            Status::BadRequest,
            "the header of the request cannot be read",
        );
    };
    if header.v != VERSION {
        return refuse(Status::BadRequest, "the version of the request is unknown");
    }
    match methods.get(header.method) {
        Some(method) => method(arguments),
        None => refuse(Status::NoMethod, header.method),
    }
}

fn outcome<R: Serialize, E: fmt::Display>(result: Result<R, E>) -> Message {
    match result {
        Ok(result) => match rmp_serde::to_vec_named(&result) {
            Ok(encoded) => reply(Status::Ok, encoded.into()),
            Err(error) => failure(Status::Failed, &error.to_string()),
        },
        Err(error) => failure(Status::Failed, &error.to_string()),
    }
}

fn failure(status: Status, text: &str) -> Message {
    reply(status, text.into())
}

fn reply(status: Status, content: Frame) -> Message {
    // A struct of a number and a name can always be written.
    let header = rmp_serde::to_vec_named(&ReplyHeader { v: VERSION, status }).unwrap_or_default();
    [Frame::from(header), content].into()
}

/// A key as MessagePack's binary, not as a list of numbers.
mod key {
    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(key: &[u8; 16], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(key)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 16], D::Error> {
        struct Key;

        impl de::Visitor<'_> for Key {
            type Value = [u8; 16];

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("16 bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<[u8; 16], E> {
                bytes
                    .try_into()
                    .map_err(|_wrong| E::invalid_length(bytes.len(), &self))
            }
        }

        from.deserialize_bytes(Key)
    }
}
