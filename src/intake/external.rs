//! Operations of other systems, such as a marketplace: a second idempotency key of a request.
//!
//! `external.system` and `external.operationId` together are bound to one tenant, action and spec. The bond is saved
//! when a request has passed every check, just before the tenant's document is saved, so a refused request binds
//! nothing. Two requests for one operation change the same document; the compare-and-swap accepts one of them, and the
//! other then finds the operation in the document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tenantry_core::{
    ids::{TenantId, sha256_hex},
    tenant::{Channel, External},
};

use super::{Command, Fault, Intake, IntakeDecision, Request, RequestAnswer, own_hash};
use crate::ports::{ETag, RequestRecord, StoreError};

/// What is recorded about the other system's operation that a request names.
pub(super) enum Bond {
    /// The request names no operation, or the operation is bound to this request.
    Held,
    /// The operation is not bound; this version of its record may be replaced.
    Free(Option<ETag>),
    /// The operation is bound to another request with the same content, which has this answer.
    Repeats(Box<RequestAnswer>),
    /// The operation is bound to another tenant, action or spec.
    Taken,
}

/// The fault of a request for an operation that is bound to something else. It does not reveal to what.
pub(super) fn conflict() -> Fault {
    Fault::new(
        "/external/operationId",
        "external_conflict",
        "this operation of that system was taken in with another tenant, action or spec; \
         another change needs another operationId",
    )
}

/// The key of the record of another system's operation; `None` unless the request has both of its parts.
pub(super) fn key(external: &External, deployment: &str, channel: &Channel) -> Option<String> {
    let (system, operation) = (external.system.as_deref()?, external.operation_id.as_deref()?);
    Some(own_hash(channel, &["external", deployment, system, operation]))
}

/// A hash of what an operation of another system is bound to: the action, the tenant and the spec.
pub(super) fn content(command: &Command, tenant: &TenantId, spec: &Value) -> String {
    let empty = Map::new();
    let spec = spec.as_object().unwrap_or(&empty);
    let given: BTreeMap<&String, &Value> = spec.iter().filter(|(_, value)| !value.is_null()).collect();
    sha256_hex(json!([command.action().as_str(), tenant, given]).to_string().as_bytes())
}

impl Intake {
    /// Reads what is recorded about the operation that a request names. A dry run accepts nothing, so it binds nothing
    /// and no bond applies to it.
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
            // The other request is still being processed, or its processing failed. The tenant's document says whether
            // it was accepted.
            None if same => Bond::Free(Some(stored.etag)),
            Some(_) | None => Bond::Taken,
        })
    }

    /// Binds the operation to a request that is about to be saved. Returns `false` if a request with another content
    /// was faster.
    ///
    /// If a request with the same content was faster, the operation stays bound to that one, which is as good. Requests
    /// that took the record from each other would each have to try as often as there are requests at once.
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
            Err(StoreError::Overtaken) => {
                let now = self.ports.store.request(&external.key).await?;
                Ok(now.is_some_and(|stored| stored.value.body_sha256 == external.content))
            }
            Err(error) => Err(error),
        }
    }
}
