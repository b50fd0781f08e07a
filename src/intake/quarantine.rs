//! Suspends a tenant that others reach.

use serde_json::{Value, json};
use tenantry_core::{
    ids::{TenantId, sha256_hex, short_hash},
    tenant::Channel,
};

use super::{Intake, IntakeDecision, RequestAnswer};
use crate::ports::{RequestRecord, StoreError};

impl Intake {
    /// Suspends a tenant that others reach, as an operator's request would. `version` is the version of the tenant that
    /// was checked: if the tenant has changed since, the request is refused as `stale`, and the next check decides. A
    /// tenant is suspended only once for the same evidence, so that a person can restore its access; returns `None` in
    /// this case.
    ///
    /// # Errors
    /// [`StoreError`] when the state can't be read or saved; the next run tries again.
    pub async fn quarantine(
        &self,
        tenant: &TenantId,
        version: u64,
        evidence: &str,
    ) -> Result<Option<RequestAnswer>, StoreError> {
        let evidence = sha256_hex(evidence.as_bytes());
        let evidence = evidence.get(..16).unwrap_or_default();
        let key = short_hash(&["quarantine", &self.deployment, tenant.as_str(), evidence]);
        if self.ports.store.request(&key).await?.is_some() {
            return Ok(None);
        }
        let request = json!({
            "schema": "tenantry.request/1", "requestId": format!("quarantine-{tenant}-{evidence}-v{version}"),
            "action": "suspend", "tenantId": tenant, "expectedVersion": version,
            "spec": {"reason": "operator", "mode": "compute"},
        });
        let body = request.to_string();
        let answer = self.take_in_from(&Channel::Operator, body.as_bytes()).await?;
        if answer.decision == IntakeDecision::Accepted {
            self.has_suspended(key, tenant, &body, &answer).await?;
        }
        Ok(Some(answer))
    }

    /// Records for which evidence the tenant was suspended. If a crash loses the record, the tenant is suspended for
    /// the same evidence once more at most.
    async fn has_suspended(
        &self,
        key: String,
        tenant: &TenantId,
        body: &str,
        answer: &RequestAnswer,
    ) -> Result<(), StoreError> {
        let record = RequestRecord {
            key,
            body_sha256: sha256_hex(body.as_bytes()),
            tenant_id: Some(tenant.clone()),
            answer: answer.request_id.clone().map_or(Value::Null, Value::String),
            kept_body: None,
            outbox: Vec::new(),
            at: self.ports.clock.now(),
        };
        match self.ports.store.save_request(&record, None).await {
            Ok(_) | Err(StoreError::Overtaken) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
