//! Operations of other systems: a second key by which a request is known.
//!
//! `external.system` with `external.operationId` is bound to one tenant, action and spec. The bond is written when a
//! request for it has passed every check, just before the tenant's document is saved: a refusal binds nothing. Two
//! requests for one operation change the same document, whose compare-and-swap lets one of them through and shows it to
//! the other.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tenantry_core::{
    ids::{TenantId, sha256_hex},
    tenant::{Channel, External},
};

use super::{Fault, Intake, IntakeDecision, Request, RequestAnswer, Wish, own_hash};
use crate::ports::{ETag, RequestRecord, StoreError};

/// What is on record of the operation that a request is for.
pub(super) enum Bond {
    /// It is for none, or the bond is this request's own.
    Held,
    /// Nothing binds it: this version of the record may be replaced.
    Free(Option<ETag>),
    /// The same was asked for before, and taken.
    Repeats(Box<RequestAnswer>),
    /// It is bound to another tenant, action or spec.
    Taken,
}

/// The fault of a request for an operation that is bound to something else. It tells nothing of what that is.
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

/// What an operation of another system is bound to.
pub(super) fn content(wish: &Wish, tenant: &TenantId, spec: &Value) -> String {
    let empty = Map::new();
    let spec = spec.as_object().unwrap_or(&empty);
    let given: BTreeMap<&String, &Value> = spec.iter().filter(|(_, value)| !value.is_null()).collect();
    sha256_hex(json!([wish.action().as_str(), tenant, given]).to_string().as_bytes())
}

impl Intake {
    /// What is on record of the operation that a request is for. A dry run takes nothing on, so it binds nothing and is
    /// bound by nothing.
    pub(super) async fn bond(&self, request: &Request) -> Result<Bond, StoreError> {
        let Some(external) = request.external_key.as_ref().filter(|_| !request.dry_run) else {
            return Ok(Bond::Held);
        };
        let Some(stored) = self.world.store.request(&external.key).await? else {
            return Ok(Bond::Free(None));
        };
        let holder = stored.value.answer.as_str().unwrap_or_default().to_owned();
        if holder == request.request_id {
            return Ok(Bond::Held);
        }
        let same = stored.value.body_sha256 == external.content;
        let key = self.request_key(&request.channel, &holder);
        Ok(match self.answered(&key).await? {
            Some(answer) if answer.verdict == IntakeDecision::Rejected => Bond::Free(Some(stored.etag)),
            Some(first) if same => Bond::Repeats(Box::new(RequestAnswer {
                request_id: Some(request.request_id.clone()),
                replayed: true,
                ..first
            })),
            // It is on its way into the document, or broke off before: the document says which.
            None if same => Bond::Free(Some(stored.etag)),
            Some(_) | None => Bond::Taken,
        })
    }

    /// Binds the operation to a request that is about to be saved; `false` if another request was quicker.
    pub(super) async fn bind(&self, request: &Request, bond: Bond) -> Result<bool, StoreError> {
        let (Some(external), Bond::Free(seen)) = (&request.external_key, bond) else { return Ok(true) };
        let record = RequestRecord {
            key: external.key.clone(),
            body_sha256: external.content.clone(),
            tenant_id: Some(request.tenant_id.clone()),
            answer: Value::String(request.request_id.clone()),
            parked: None,
            notices: Vec::new(),
            at: self.world.clock.now(),
        };
        match self.world.store.save_request(&record, seen.as_ref()).await {
            Ok(_) => Ok(true),
            Err(StoreError::Overtaken) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
