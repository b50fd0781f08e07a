//! How a proof of isolation enters the document, and what subscribers are told of it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::outcome::{common_data, standing};
use crate::tenant::{Proof, Proven, Tenant};

/// Whether a proof says something else than the last one on record.
pub fn is_news(tenant: &Tenant, proof: &Proof) -> bool {
    tenant.proof.as_ref().is_none_or(|last| (last.verdict, &last.reasons) != (proof.verdict, &proof.reasons))
}

/// Remembers a proof and tells it.
pub fn record(tenant: &mut Tenant, proven: Proven, now: Timestamp) {
    let Proven { proof, told, .. } = proven;
    let mut data = match tenant.operation() {
        Some(operation) => common_data(tenant, operation),
        None => standing(tenant),
    };
    data["verdict"] = json!(proof.verdict);
    data["reasons"] = json!(proof.reasons);
    data["digest"] = json!(proof.digest);
    if let (Value::Object(data), Value::Object(told)) = (&mut data, told) {
        data.extend(told);
    }
    let kind = format!("tenant.isolation.{}", proof.verdict.word());
    tenant.proof = Some(proof);
    tenant.tell_aside(&kind, data, now);
}
