//! Sends to Service Bus: wake-ups, requests, and events to a topic. The Functions host receives.
//!
//! Uses `azure_messaging_servicebus` 0.21, which signs with a key that this program does not have, writes instants in
//! an undocumented form, and sends any text as a header. [`ServiceBusTransport`] corrects that.

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
/// The time to live of a wake-up. An older one is useless, because the sweep has reconciled the tenant by then.
const WAKE_UP_LIFE: Duration = Duration::from_secs(3600);

/// A client that sends messages to one Service Bus namespace.
#[derive(Clone)]
pub struct ServiceBus {
    transport: Arc<dyn HttpClient>,
}

impl ServiceBus {
    /// Creates a client for the namespace at an address.
    pub fn new(transport: LegacyTransport, tokens: Arc<Tokens>, namespace: Url) -> Self {
        Self { transport: Arc::new(ServiceBusTransport::new(transport, tokens, namespace)) }
    }

    /// Sends a request as a signup app does. The Service Bus session is the tenant, so that the tenant's requests keep
    /// their order. The message id is the request id, so that the broker drops a repeat at once.
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
        // The transport replaces the address and the signature, which the crate makes of the namespace and the key.
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

/// Schedules wake-ups as scheduled messages of Service Bus.
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

/// An instant in whole seconds since 1970, as the header has it. It is rounded up, because a wake-up before its time is
/// useless.
fn rounded_up(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

/// Schedules nothing: the sweep reconciles the tenants that are due.
pub struct NoScheduler;

impl Scheduler for NoScheduler {
    fn schedule<'a>(&'a self, _tenant: &'a TenantId, _at: Timestamp) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn delivers(&self) -> bool {
        false
    }
}

/// Publishes events to a Service Bus topic, one message each. The Service Bus session is the tenant.
pub struct TopicPublisher {
    bus: ServiceBus,
    topic: String,
}

impl TopicPublisher {
    /// Creates a publisher to the topic of that name.
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

/// Converts an error of the legacy crate. The text of the error is left out because it repeats the body of the answer.
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
