//! An outbox entry as a CloudEvent.
//!
//! The event is made from the entry alone, so publishing it again publishes exactly the same event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::TenantId,
    tenant::{EntryContent, OutboxEntry},
};

/// A CloudEvent 1.0 in structured JSON, with tenantry's extensions (lower-case, at most twenty characters).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CloudEvent {
    /// `1.0`.
    pub specversion: String,
    /// `<operationId>/<sequence>`: the same for every repeat.
    pub id: String,
    /// `io.tenantry.<noun>[.<noun>].<verb>.v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `/tenantry/<deployment>/tenants/<tenantId>`, within which `sequence` orders; `/tenantry/<deployment>/intake` for
    /// requests that were not carried out.
    pub source: String,
    /// `tenants/<tenantId>/operations/<operationId>`, for prefix filters; `messages/<id>` from the intake.
    pub subject: String,
    /// When the event happened, in RFC 3339.
    pub time: String,
    /// `application/json`.
    pub datacontenttype: String,
    /// `urn:tenantry:schema:<type>`.
    pub dataschema: String,
    /// The tenant's id; absent if the message named no tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenantid: Option<String>,
    /// The operation's id; in events of the intake, the id of the request record.
    pub operationid: String,
    /// The request's id; empty if it could not be read.
    pub correlationid: String,
    /// Twenty digits, rising by one per event of the tenant; 1 in every event of the intake.
    pub sequence: String,
    /// The tenant's id, as the key for brokers that partition events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitionkey: Option<String>,
    /// The trace context in which the request was accepted (W3C Trace Context; CloudEvents, "Distributed Tracing
    /// Extension").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What happened.
    pub data: Value,
}

/// Which outbox an entry is in.
#[derive(Debug, Clone, Copy)]
pub enum EventOrigin<'a> {
    /// A tenant's document, which numbers its events.
    Tenant(&'a TenantId),
    /// A request record of the intake, with the tenant that the request is about, if it could be read. The tenant may
    /// not exist, and its document does not have the request, so such an event is not part of the tenant's sequence.
    Intake(Option<&'a TenantId>),
}

/// The event that an entry publishes; `None` for entries that are history only.
pub fn event_of(deployment: &str, origin: EventOrigin<'_>, entry: &OutboxEntry) -> Option<CloudEvent> {
    let EntryContent::Event { kind, sequence, operation_id, correlation_id, traceparent, data } =
        &entry.content
    else {
        return None;
    };
    let (tenant, source, subject) = match origin {
        EventOrigin::Tenant(id) => (
            Some(id),
            format!("/tenantry/{deployment}/tenants/{id}"),
            format!("tenants/{id}/operations/{operation_id}"),
        ),
        EventOrigin::Intake(id) => {
            (id, format!("/tenantry/{deployment}/intake"), format!("messages/{operation_id}"))
        }
    };
    Some(CloudEvent {
        specversion: "1.0".to_owned(),
        id: format!("{operation_id}/{sequence:04}"),
        kind: format!("io.tenantry.{kind}.v1"),
        source,
        subject,
        time: entry.at.to_string(),
        datacontenttype: "application/json".to_owned(),
        dataschema: format!("urn:tenantry:schema:{kind}.v1"),
        tenantid: tenant.map(ToString::to_string),
        operationid: operation_id.clone(),
        correlationid: correlation_id.clone(),
        sequence: format!("{sequence:020}"),
        partitionkey: tenant.map(ToString::to_string),
        traceparent: traceparent.clone(),
        data: data.clone(),
    })
}
