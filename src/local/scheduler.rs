//! Schedules wake-ups as messages in the local environment's queue.

use std::sync::Arc;

use azure_sim::queue::{NewMessage, Queue};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry_core::{ids::TenantId, steps::Failure};

use crate::{
    azure::service_bus::WAKE_UPS,
    ports::{Clock, Scheduler},
    wake_up::WakeUp,
};

/// The scheduler of the local environment.
pub(super) struct QueueScheduler {
    queue: Queue,
    clock: Arc<dyn Clock>,
}

impl QueueScheduler {
    /// A scheduler that sends to this queue.
    pub(super) fn new(queue: Queue, clock: Arc<dyn Clock>) -> Self {
        Self { queue, clock }
    }
}

impl Scheduler for QueueScheduler {
    fn schedule<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let body = WakeUp::new(tenant).body().into_bytes();
            let message_id = Some(WakeUp::message_id(tenant, at));
            let message = NewMessage { message_id, body, enqueue_at: Some(at), ..NewMessage::default() };
            let sent = self.queue.send(WAKE_UPS, message, self.clock.now()).await;
            sent.map(|_| ()).map_err(|error| Failure::not_sent(error.to_string()))
        })
    }
}
