//! Operations of other systems: a second idempotency key of a request.
//!
//! `external.system` with `external.operationId` is bound to one tenant, action and spec. The bond is written when a
//! request has passed every check, just before the tenant's document is saved: a refusal binds nothing. Two requests
//! for one operation change the same document, whose compare-and-swap lets one of them through and shows it to the
//! other.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tenantry_core::{
    ids::{TenantId, sha256_hex},
    tenant::{Channel, External},
};

use super::{Command, Fault, Intake, IntakeDecision, Request, RequestAnswer, own_hash};
use crate::ports::{ETag, RequestRecord, StoreError};

/// What is on record about the operation that a request names.
pub(super) enum Bond {
    /// The request names none, or the bond is its own.
    Held,
    /// It is not bound: this version of the record may be replaced.
    Free(Option<ETag>),
    /// The same request was accepted before.
    Repeats(Box<RequestAnswer>),
    /// It is bound to another tenant, action or spec.
    Taken,
}

/// The fault of a request for an operation that is bound to something else. It reveals nothing about that.
pub(super) fn conflict() -> Fault {
    Fault::new(
        "/external/operationId",
        "external_conflict",
        "this operation of that system was taken in with another tenant, action or spec; \
         another change needs another operationId",
    )
}

/// The key of another system's operation, if both of its parts are given.
pub(super) fn key(external: &External, deployment: &str, channel: &Channel) -> Option<String> {
    let (system, operation) = (external.system.as_deref()?, external.operation_id.as_deref()?);
    Some(own_hash(channel, &["external", deployment, system, operation]))
}

/// The content that an operation of another system is bound to.
pub(super) fn content(command: &Command, tenant: &TenantId, spec: &Value) -> String {
    let empty = Map::new();
    let spec = spec.as_object().unwrap_or(&empty);
    let given: BTreeMap<&String, &Value> = spec.iter().filter(|(_, value)| !value.is_null()).collect();
    sha256_hex(json!([command.action().as_str(), tenant, given]).to_string().as_bytes())
}

impl Intake {
    /// What is on record about the operation that a request names. A dry run accepts nothing, so it binds nothing and
    /// no bond applies to it.
    pub(super) async fn bond(&self, request: &Request) -> Result<Bond, StoreError> {
        let Some(external) = request.external_key.as_ref().filter(|_| !request.dry_run) else {
            return Ok(Bond::Held);
        };
        let Some(stored) = self.ports.store.request(&external.key).await? else {
            return Ok(Bond::Free(None));
        };
        let holder = stored.value.answer.as_str().unwrap_or_default().to_owned();
        if holder == request.request_id {
            return Ok(Bond::Held);
        }
        let same = stored.value.body_sha256 == external.content;
        let key = self.request_key(&request.channel, &holder);
        Ok(match self.answered(&key).await? {
            Some(answer) if answer.decision == IntakeDecision::Rejected => Bond::Free(Some(stored.etag)),
            Some(first) if same => Bond::Repeats(Box::new(RequestAnswer {
                request_id: Some(request.request_id.clone()),
                replayed: true,
                ..first
            })),
            // It is on its way into the document, or failed before: the document says which.
            None if same => Bond::Free(Some(stored.etag)),
            Some(_) | None => Bond::Taken,
        })
    }

    /// Binds the operation to a request that is about to be saved; `false` if another request was faster.
    pub(super) async fn bind(&self, request: &Request, bond: Bond) -> Result<bool, StoreError> {
        let (Some(external), Bond::Free(seen)) = (&request.external_key, bond) else { return Ok(true) };
        let record = RequestRecord {
            key: external.key.clone(),
            body_sha256: external.content.clone(),
            tenant_id: Some(request.tenant_id.clone()),
            answer: Value::String(request.request_id.clone()),
            kept_body: None,
            outbox: Vec::new(),
            at: self.ports.clock.now(),
        };
        match self.ports.store.save_request(&record, seen.as_ref()).await {
            Ok(_) => Ok(true),
            Err(StoreError::Overtaken) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
