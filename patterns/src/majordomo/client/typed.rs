//! Typed calls: values in, values out (see [`Service`](crate::Service) for what is on the wire).

use std::sync::Arc;

use privateer_core::{Frame, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::{CallError, Client};
use crate::service::{ReplyHeader, RequestHeader, Status, VERSION};

impl Client {
    /// Calls a method of a typed service: `service.method`, divided at the last dot.
    ///
    /// # Errors
    /// [`CallError`], all kinds: the call found no answer in time, or the service could not make one.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, the call is given up: the method may have run, and its result is dropped.
    ///
    /// # Example
    /// ```no_run
    /// # async fn example(client: privateer::Client) -> Result<(), privateer::CallError> {
    /// #[derive(serde::Serialize)]
    /// struct Add { a: i64, b: i64 }
    ///
    /// let sum: i64 = client.call("calc.add", &Add { a: 1, b: 2 }).await?;
    /// # Ok(()) }
    /// ```
    pub async fn call<Q, R>(&self, method: &str, arguments: &Q) -> Result<R, CallError>
    where
        Q: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let Some((service, method)) = method.rsplit_once('.') else {
            return Err(CallError::NoMethodNamed {
                call: method.to_owned(),
            });
        };
        let header = RequestHeader {
            v: VERSION,
            method,
            key: Uuid::now_v7().into_bytes(),
        };
        let request = [encode(&header)?, encode(arguments)?];
        let reply = self.request(service, request).await?;
        read(method, &reply)
    }
}

fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Frame, CallError> {
    let encoded = rmp_serde::to_vec_named(value);
    encoded
        .map(Frame::from)
        .map_err(|error| CallError::Encode(Arc::new(error)))
}

fn read<R: DeserializeOwned>(method: &str, reply: &Message) -> Result<R, CallError> {
    let [header, content] = reply.frames() else {
        return Err(CallError::NotTyped);
    };
    let Ok(header) = rmp_serde::from_slice::<ReplyHeader>(header) else {
        return Err(CallError::NotTyped);
    };
    if header.v != VERSION {
        return Err(CallError::NotTyped);
    }
    let text = || String::from_utf8_lossy(content).into_owned();
    match header.status {
        Status::Ok => {
            rmp_serde::from_slice(content).map_err(|error| CallError::Decode(Arc::new(error)))
        }
        Status::Failed => Err(CallError::Failed { reason: text() }),
        Status::NoMethod => Err(CallError::NoSuchMethod {
            method: method.to_owned(),
        }),
        Status::BadRequest => Err(CallError::BadRequest { reason: text() }),
        Status::Panicked => Err(CallError::Panicked),
    }
}
