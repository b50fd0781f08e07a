//! Answers repeated requests: who may get the answer again, and with which status of the tenant.

use tenantry_core::ids::sha256_hex;

use super::{Fault, Intake, IntakeDecision, Request, RequestAnswer, conflict_key};
use crate::ports::StoreError;

const NOT_YOURS: &str = "not_your_tenant";

/// The fault of a request about a tenant that another sender has signed up. It reveals nothing about the tenant.
pub(super) fn not_yours() -> Fault {
    Fault::new(
        "/tenantId",
        NOT_YOURS,
        "this tenant was not signed up by this sender; its own sender or an operator may change it",
    )
}

impl Intake {
    /// Completes an answer for the sender of the request. The answer to a repeat gets the tenant's current status, and
    /// is refused to senders that may not change the tenant.
    pub(super) async fn present(
        &self,
        request: &Request,
        (key, digest): (&str, &str),
        mut answer: RequestAnswer,
    ) -> Result<RequestAnswer, StoreError> {
        let Some(id) = answer.tenant_id.as_ref().filter(|_| answer.replayed) else { return Ok(answer) };
        let Some(stored) = self.ports.store.load(id).await? else { return Ok(answer) };
        let tenant = stored.value;
        if !request.channel.may_change(&tenant.channel) {
            if answer.code.as_deref() == Some(NOT_YOURS) {
                return Ok(answer);
            }
            let sender = sha256_hex(request.channel.to_string().as_bytes());
            return self.refuse_beside(request, conflict_key(key, &sender), digest, not_yours()).await;
        }
        if answer.decision == IntakeDecision::Rejected {
            return Ok(answer);
        }
        answer.status = Some(tenant.status);
        answer.superseded = answer.decision == IntakeDecision::Accepted
            && tenant
                .requests
                .back()
                .is_some_and(|last| Some(&last.operation_id) != answer.operation_id.as_ref());
        Ok(answer)
    }
}
