//! Publishes CloudEvents to an Event Grid topic.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry_core::{
    steps::{Api, Failure, Method, Request, failure},
    tenant::CloudEvent,
};

use crate::ports::{Publisher, Transport};

/// Microsoft, "Post events to a custom topic": the version of the publishing API.
const PATH: &str = "/api/events?api-version=2018-01-01";

/// The largest request, in bytes; the topic's limit is 1 MB. One event is smaller than a tenant's document.
const MOST_BYTES: usize = 950_000;

/// A topic with the CloudEvents 1.0 schema.
pub struct EventGrid {
    transport: Arc<dyn Transport>,
}

impl EventGrid {
    /// The topic on the transport's Event Grid host.
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self { transport }
    }
}

impl Publisher for EventGrid {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            for batch in batches(events) {
                let request = Request::new(Api::EventGrid, Method::Post, PATH)
                    .with_header("content-type", "application/cloudevents-batch+json; charset=utf-8")
                    .with_body(Value::Array(batch));
                let reply = self.transport.send(request).await?;
                if !reply.is_success() {
                    return Err(failure::classify(&reply));
                }
            }
            Ok(())
        })
    }
}

/// The events in order, in as few requests as the topic accepts.
fn batches(events: &[CloudEvent]) -> Vec<Vec<Value>> {
    let (mut batches, mut room) = (Vec::<Vec<Value>>::new(), 0);
    for event in events {
        let event = json!(event);
        let bytes = event.to_string().len() + 1;
        match batches.last_mut().filter(|_| bytes <= room) {
            Some(batch) => batch.push(event),
            None => {
                batches.push(vec![event]);
                room = MOST_BYTES;
            }
        }
        room = room.saturating_sub(bytes);
    }
    batches
}
