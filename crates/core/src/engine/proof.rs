//! How a proof of isolation enters the document, and what subscribers are told of it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::outcome::{common_data, standing};
use crate::tenant::{Proof, Proven, Tenant};

/// After how long an unchanged verdict is noted again, so that the document says how old it is.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// How a proof was noted that no step has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It says something else than the last one, and is told; the tenant is due at once.
    Told,
    /// It says the same, a day later.
    Confirmed,
}

/// Notes a proof that no step has asked for; `None` if the document does not change by it.
pub fn note(tenant: &mut Tenant, proven: Proven, now: Timestamp) -> Option<Noted> {
    if is_news(tenant, &proven.proof) {
        record(tenant, proven, now);
        tenant.due_by(now);
        return Some(Noted::Told);
    }
    let is_old = tenant.proof.as_ref().is_some_and(|last| now.duration_since(last.at) > AGAIN);
    is_old.then(|| {
        tenant.proof = Some(proven.proof);
        Noted::Confirmed
    })
}

/// Whether a proof says something else than the last one on record.
fn is_news(tenant: &Tenant, proof: &Proof) -> bool {
    tenant.proof.as_ref().is_none_or(|last| (last.verdict, &last.reasons) != (proof.verdict, &proof.reasons))
}

/// Remembers a proof and tells it.
pub(super) fn record(tenant: &mut Tenant, proven: Proven, now: Timestamp) {
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
