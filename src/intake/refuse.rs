//! Refuses messages and requests. A refusal is recorded and published, and is never retried.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tenantry_core::{
    ids::sha256_hex,
    pointer,
    secrets::{carried, redact},
    tenant::{EntryContent, OutboxEntry},
};

use super::{Fault, Intake, IntakeDecision, Request, RequestAnswer, conflict_key};
use crate::{
    ports::{RequestRecord, StoreError},
    telemetry::Trace,
};

/// The code of the fault of a message that contains a secret.
pub(super) const SECRET: &str = "secret";

/// How many bytes of a refused message are kept.
const KEPT_BYTES: usize = 64 * 1024;

/// A refusal that is recorded beside the record of the request, or of a message without a valid request.
struct Refusal {
    /// The key of the refusal's record.
    key: String,
    /// The hash that identifies the refused message or request.
    body_sha256: String,
    /// The type of the event that is published.
    kind: &'static str,
    /// The part of the message that is kept, as base64; `None` if none is.
    kept_body: Option<String>,
}

fn is_secret(text: &str) -> bool {
    carried(text).is_some()
}

/// Removes secrets from a fault: the pointer ends before a name that is a secret, and a secret in the message is
/// redacted.
fn discreet(fault: Fault) -> Fault {
    let segments = fault.pointer.split('/').take_while(|segment| !is_secret(&pointer::name(segment)));
    let pointer = segments.collect::<Vec<_>>().join("/");
    let message = if is_secret(&fault.message) { redact(&fault.message) } else { fault.message };
    Fault { pointer, message, ..fault }
}

impl Intake {
    /// Refuses a message that has no valid request. It is recorded under its own hash, so that a repeat gets the same
    /// answer.
    pub(super) async fn refuse_unread(
        &self,
        body: &[u8],
        request_id: Option<String>,
        faults: Vec<Fault>,
    ) -> Result<RequestAnswer, StoreError> {
        let digest = sha256_hex(body);
        let key = self.message_key(&digest);
        // A secret that was sent by mistake is neither stored nor repeated as an id or a name.
        let kept = &body[..body.len().min(KEPT_BYTES)];
        let is_kept =
            !faults.iter().any(|fault| fault.code == SECRET) && !is_secret(&String::from_utf8_lossy(kept));
        let (request_id, faults) =
            (request_id.filter(|id| !is_secret(id)), faults.into_iter().map(discreet).collect());
        let answer =
            RequestAnswer { kept_as: Some(key.clone()), ..RequestAnswer::rejected(request_id, None, faults) };
        let kept = is_kept.then(|| STANDARD.encode(kept));
        let refusal = Refusal { key, body_sha256: digest, kind: "message.rejected", kept_body: kept };
        self.record_refusal(refusal, answer).await
    }

    /// Refuses a request whose id was used before with another body.
    pub(super) async fn refuse_conflict(
        &self,
        request: &Request,
        key: &str,
        digest: &str,
    ) -> Result<RequestAnswer, StoreError> {
        let message =
            "another message with this requestId and another body was taken in before; use a new requestId";
        let fault = Fault::new("/requestId", "request_conflict", message);
        self.refuse_beside(request, conflict_key(key, digest), digest, fault).await
    }

    /// Refuses a request whose own record belongs to another request. The refusal is recorded under `key`.
    pub(super) async fn refuse_beside(
        &self,
        request: &Request,
        key: String,
        digest: &str,
        mut fault: Fault,
    ) -> Result<RequestAnswer, StoreError> {
        fault.pointer.insert_str(0, request.at);
        let (id, tenant) = (request.request_id.clone(), request.tenant_id.clone());
        let answer = RequestAnswer {
            kept_as: Some(key.clone()),
            ..RequestAnswer::rejected(Some(id), Some(tenant), vec![fault])
        };
        let body_sha256 = digest.to_owned();
        let refusal = Refusal { key, body_sha256, kind: "tenant.request.rejected", kept_body: None };
        self.record_refusal(refusal, answer).await
    }

    /// Records a refusal, unless it is recorded already, and returns the answer.
    async fn record_refusal(
        &self,
        refusal: Refusal,
        answer: RequestAnswer,
    ) -> Result<RequestAnswer, StoreError> {
        let Refusal { key, body_sha256, kind, kept_body } = refusal;
        let mut outbox = self.outbox_of(&key, &answer, kind);
        for entry in &mut outbox {
            if let EntryContent::Event { data, .. } = &mut entry.content {
                data["bodySha256"] = json!(body_sha256);
            }
        }
        let record = RequestRecord {
            key,
            body_sha256,
            tenant_id: answer.tenant_id.clone(),
            answer: answer.to_value(),
            kept_body,
            outbox,
            at: self.ports.clock.now(),
        };
        match self.ports.store.save_request(&record, None).await {
            Ok(_) => Ok(answer),
            Err(StoreError::Overtaken) => Ok(answer.again()),
            Err(error) => Err(error),
        }
    }

    /// The events about a refusal or a dry run, which no tenant's document publishes. Their ids are derived from the
    /// record's key.
    pub(super) fn outbox_of(&self, key: &str, answer: &RequestAnswer, kind: &str) -> Vec<OutboxEntry> {
        let kind = match answer.decision {
            IntakeDecision::Accepted => return Vec::new(),
            IntakeDecision::Planned => "tenant.request.accepted",
            IntakeDecision::Rejected => kind,
        };
        let request_id = answer.request_id.clone().unwrap_or_default();
        let pointer = answer.faults.first().map(|fault| fault.pointer.clone());
        let mut data = json!({
            "requestId": answer.request_id, "tenantId": answer.tenant_id, "code": answer.code, "pointer": pointer,
            "reasons": answer.faults, "keptAs": answer.kept_as,
            "dryRun": (answer.decision == IntakeDecision::Planned).then_some(true),
        });
        if let Some(members) = data.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        let content = EntryContent::Event {
            kind: kind.to_owned(),
            sequence: 1,
            operation_id: key.to_owned(),
            correlation_id: request_id,
            traceparent: Trace::current_header(),
            data,
        };
        vec![OutboxEntry { number: 1, at: self.ports.clock.now(), content }]
    }
}
