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
    /// `/tenantry/<deployment>/tenants/<tenantId>`; `sequence` orders within a source.
    pub source: String,
    /// `tenants/<tenantId>/operations/<operationId>`, for prefix filters.
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
    /// The operation.
    pub operationid: String,
    /// The request's id.
    pub correlationid: String,
    /// Twenty digits, rising by one per event of the tenant.
    pub sequence: String,
    /// The tenant, for brokers that partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitionkey: Option<String>,
    /// What happened.
    pub data: Value,
}

/// The event that a notice tells; `None` for notices that are history only.
///
/// Without a tenant (a message that named none) the source is the deployment's intake.
pub fn event_of(deployment: &str, tenant: Option<&TenantId>, notice: &Notice) -> Option<CloudEvent> {
    let Story::Event { kind, sequence, operation_id, correlation_id, data } = &notice.story else {
        return None;
    };
    let (source, subject) = match tenant {
        Some(id) => (
            format!("/tenantry/{deployment}/tenants/{id}"),
            format!("tenants/{id}/operations/{operation_id}"),
        ),
        None => (format!("/tenantry/{deployment}/intake"), format!("messages/{operation_id}")),
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
        data: data.clone(),
    })
}
