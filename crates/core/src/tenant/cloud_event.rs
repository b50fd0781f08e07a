//! A notice as a CloudEvent.
//!
//! Everything in it comes from the notice, so that telling it again tells exactly the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ids::TenantId,
    tenant::{Notice, Story},
};

/// A CloudEvent 1.0 in structured JSON, with the extensions that tenantry uses (lower-case, at most twenty characters).
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
    /// When it happened, RFC 3339.
    pub time: String,
    /// `application/json`.
    pub datacontenttype: String,
    /// `urn:tenantry:schema:<type>`.
    pub dataschema: String,
    /// The tenant; absent when a message named none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenantid: Option<String>,
    /// The operation; from the intake the record of the request.
    pub operationid: String,
    /// The request's id; empty if it could not be read.
    pub correlationid: String,
    /// Twenty digits, rising by one per event of the tenant; 1 in every event of the intake.
    pub sequence: String,
    /// The tenant, for brokers that partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitionkey: Option<String>,
    /// Where in a trace the request was accepted that the event is about (W3C Trace Context; CloudEvents, "Distributed
    /// Tracing Extension").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// What happened.
    pub data: Value,
}

/// Whose outbox a notice stands in.
#[derive(Debug, Clone, Copy)]
pub enum Teller<'a> {
    /// A tenant's document, which numbers what it tells.
    Tenant(&'a TenantId),
    /// A request record of the intake, with the tenant that the request is about, if it could be read. The tenant need
    /// not exist, and its document does not know of the request: such an event has no place in the tenant's sequence.
    Intake(Option<&'a TenantId>),
}

/// The event that a notice tells; `None` for notices that are history only.
pub fn event_of(deployment: &str, teller: Teller<'_>, notice: &Notice) -> Option<CloudEvent> {
    let Story::Event { kind, sequence, operation_id, correlation_id, traceparent, data } = &notice.story
    else {
        return None;
    };
    let (tenant, source, subject) = match teller {
        Teller::Tenant(id) => (
            Some(id),
            format!("/tenantry/{deployment}/tenants/{id}"),
            format!("tenants/{id}/operations/{operation_id}"),
        ),
        Teller::Intake(id) => {
            (id, format!("/tenantry/{deployment}/intake"), format!("messages/{operation_id}"))
        }
    };
    Some(CloudEvent {
        specversion: "1.0".to_owned(),
        id: format!("{operation_id}/{sequence:04}"),
        kind: format!("io.tenantry.{kind}.v1"),
        source,
        subject,
        time: notice.at.to_string(),
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
