//! Wake-ups through the local queue, as scheduled messages.

use std::sync::Arc;

use azure_sim::queue::{NewMessage, Queue};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tenantry_core::{ids::TenantId, steps::Failure};

use crate::{
    azure::service_bus::WAKE_UPS,
    ports::{Alarm, Clock},
    wake_up::WakeUp,
};

/// The alarm of the local world.
pub(super) struct QueueAlarm {
    queue: Queue,
    clock: Arc<dyn Clock>,
}

impl QueueAlarm {
    /// An alarm over a queue.
    pub(super) fn new(queue: Queue, clock: Arc<dyn Clock>) -> Self {
        Self { queue, clock }
    }
}

impl Alarm for QueueAlarm {
    fn wake<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let body = WakeUp::new(tenant).body().into_bytes();
            let message_id = Some(WakeUp::message_id(tenant, at));
            let message = NewMessage { message_id, body, enqueue_at: Some(at), ..NewMessage::default() };
            let sent = self.queue.send(WAKE_UPS, message, self.clock.now()).await;
            sent.map(|_| ()).map_err(|error| Failure::not_sent(error.to_string()))
        })
    }
}
