//! Sends to Service Bus: wake-ups, requests, and events to a topic. Receiving is the Functions host's work.
//!
//! Uses `azure_messaging_servicebus` 0.21, whose faults are corrected by [`ServiceBusTransport`]: it signs with a key,
//! which this program does not have, writes instants in an undocumented form, and sends any text as a header.

use std::{sync::Arc, time::Duration};

use azure_core_legacy::{Error, HttpClient, error::ErrorKind};
use azure_messaging_servicebus::service_bus::{QueueClient, SendMessageOptions, SettableBrokerProperties};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use reqwest::Url;
use serde_json::json;
use tenantry_core::{
    ids::TenantId,
    steps::{Failure, Reply, failure},
    tenant::CloudEvent,
};
use time::OffsetDateTime;

use super::bridge::{LegacyTransport, ServiceBusTransport};
use crate::{
    azure::token::Tokens,
    ports::{Publisher, Scheduler},
    wake_up::WakeUp,
};

/// The queue of requests.
pub const REQUESTS: &str = "tenant-requests";
/// The queue of wake-ups.
pub const WAKE_UPS: &str = "tenant-wakeups";
/// The dead letters of the request queue: requests whose deliveries have failed too often.
pub const DEAD_LETTERS: &str = "tenant-requests/$deadletterqueue";
/// A wake-up that is not taken for so long is useless: the sweep has reconciled the tenant.
const WAKE_UP_LIFE: Duration = Duration::from_secs(3600);

/// A namespace.
#[derive(Clone)]
pub struct ServiceBus {
    transport: Arc<dyn HttpClient>,
}

impl ServiceBus {
    /// The namespace at an address.
    pub fn new(transport: LegacyTransport, tokens: Arc<Tokens>, namespace: Url) -> Self {
        Self { transport: Arc::new(ServiceBusTransport::new(transport, tokens, namespace)) }
    }

    /// Sends a request as a signup app does. The session is the tenant, so that its requests keep their order; the
    /// request id lets the broker drop a repeat at once.
    ///
    /// # Errors
    /// [`Failure`] when the message was not accepted, or when that is unknown.
    pub async fn submit(&self, tenant: &str, request_id: &str, body: &str) -> Result<(), Failure> {
        let broker_properties = SettableBrokerProperties {
            session_id: Some(tenant.to_owned()),
            message_id: Some(request_id.to_owned()),
            ..SettableBrokerProperties::default()
        };
        self.send(REQUESTS, body, "application/json", broker_properties).await
    }

    async fn send(
        &self,
        queue: &str,
        body: &str,
        content_type: &str,
        broker_properties: SettableBrokerProperties,
    ) -> Result<(), Failure> {
        // The transport replaces the address and the signature that are made of namespace and key.
        let client = QueueClient::new(Arc::clone(&self.transport), "namespace", queue, "none", "none");
        let options = SendMessageOptions {
            content_type: Some(content_type.to_owned()),
            broker_properties: Some(broker_properties),
            custom_properties: None,
        };
        client
            .map_err(|error| failed(&error))?
            .send_message(body, Some(options))
            .await
            .map_err(|error| failed(&error))
    }
}

/// Wake-ups as scheduled messages.
pub struct QueueScheduler(pub ServiceBus);

impl Scheduler for QueueScheduler {
    fn schedule<'a>(&'a self, tenant: &'a TenantId, at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let broker_properties = SettableBrokerProperties {
                message_id: Some(WakeUp::message_id(tenant, at)),
                scheduled_enqueue_time_utc: OffsetDateTime::from_unix_timestamp(rounded_up(at)).ok(),
                time_to_live: Some(WAKE_UP_LIFE),
                ..SettableBrokerProperties::default()
            };
            self.0.send(WAKE_UPS, &WakeUp::new(tenant).body(), "application/json", broker_properties).await
        })
    }
}

/// In whole seconds, as in the header; rounded up, because a wake-up before its time is useless.
fn rounded_up(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

/// No wake-ups: the sweep reconciles what is due.
pub struct NoScheduler;

impl Scheduler for NoScheduler {
    fn schedule<'a>(&'a self, _tenant: &'a TenantId, _at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn delivers(&self) -> bool {
        false
    }
}

/// Events to a topic, one message each; the session is the tenant.
pub struct TopicPublisher {
    bus: ServiceBus,
    topic: String,
}

impl TopicPublisher {
    /// The topic of that name.
    pub fn new(bus: ServiceBus, topic: impl Into<String>) -> Self {
        Self { bus, topic: topic.into() }
    }
}

impl Publisher for TopicPublisher {
    fn publish<'a>(&'a self, events: &'a [CloudEvent]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            for event in events {
                let broker_properties = SettableBrokerProperties {
                    session_id: event.tenantid.clone(),
                    message_id: Some(event.id.clone()),
                    label: Some(event.kind.clone()),
                    ..SettableBrokerProperties::default()
                };
                let body = json!(event).to_string();
                let content_type = "application/cloudevents+json; charset=utf-8";
                self.bus.send(&self.topic, &body, content_type, broker_properties).await?;
            }
            Ok(())
        })
    }
}

/// The failure for an error of the legacy crate. Its text is left out because it repeats the body of the answer.
fn failed(error: &Error) -> Failure {
    match error.kind() {
        ErrorKind::HttpResponse { status, .. } => {
            failure::classify(&Reply { status: u16::from(*status), ..Reply::default() })
        }
        ErrorKind::Io => Failure::ambiguous("Service Bus did not answer, or the connection failed"),
        ErrorKind::Credential => Failure::not_sent("there is no token for Service Bus"),
        ErrorKind::DataConversion | ErrorKind::MockFramework | ErrorKind::Other => {
            Failure::not_sent("the message can't be sent as it is")
        }
    }
}
