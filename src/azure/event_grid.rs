//! Publishes CloudEvents to an Event Grid topic.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tenantry_core::{
    steps::{Api, Failure, Method, Request, failure},
    tenant::CloudEvent,
};

use crate::ports::{Publisher, Transport};

/// The path to which events are posted, with the version of the publishing API. Source: Microsoft, "Post events to a
/// custom topic".
const PATH: &str = "/api/events?api-version=2018-01-01";

/// The largest request, in bytes; the topic's limit is 1 MB. A single event always fits, because it is smaller than a
/// tenant's document.
const MOST_BYTES: usize = 950_000;

/// Publishes to one Event Grid topic, whose input schema is CloudEvents 1.0.
pub struct EventGrid {
    transport: Arc<dyn Transport>,
}

impl EventGrid {
    /// Creates a publisher to the topic on the transport's Event Grid host.
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

/// Distributes events in order over as few requests as the topic accepts.
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
