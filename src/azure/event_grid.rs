//! Publishes CloudEvents to an Event Grid topic.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;

use crate::{
    announce::CloudEvent,
    ports::{Announcer, Wire},
    steps::{Api, Failure, Method, Request, failure},
};

/// Microsoft, "Post events to a custom topic": the version of the publishing API.
const PATH: &str = "/api/events?api-version=2018-01-01";

/// A topic with the CloudEvents 1.0 schema.
pub struct EventGrid {
    wire: Arc<dyn Wire>,
}

impl EventGrid {
    /// The topic that the wire's Event Grid host serves.
    pub fn new(wire: Arc<dyn Wire>) -> Self {
        Self { wire }
    }
}

impl Announcer for EventGrid {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let request = Request::new(Api::EventGrid, Method::Post, PATH)
                .with_header("content-type", "application/cloudevents-batch+json; charset=utf-8")
                .with_body(json!(events));
            let reply = self.wire.send(request).await?;
            if reply.is_success() { Ok(()) } else { Err(failure::classify(&reply)) }
        })
    }
}
