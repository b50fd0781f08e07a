//! Records isolation proofs in the document and publishes changes.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::outcome::{common_data, standing};
use crate::tenant::{Proof, Proven, Tenant};

/// After how long an unchanged verdict is recorded again, so that the document shows how recent it is.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// How the result of an isolation check was recorded that was made outside of a step, e.g. by a timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// The verdict or its reasons differ from the last ones and are published; the tenant is due at once.
    Published,
    /// The verdict and its reasons are the same as the last ones, which were recorded more than a day ago.
    Confirmed,
}

/// Records the result of an isolation check that was made outside of a step; `None` if the document does not change.
pub fn note(tenant: &mut Tenant, proven: Proven, now: Timestamp) -> Option<Noted> {
    if is_news(tenant, &proven.proof) {
        record(tenant, proven, now);
        tenant.due_by(now);
        return Some(Noted::Published);
    }
    let is_old = tenant.proof.as_ref().is_some_and(|last| now.duration_since(last.at) > AGAIN);
    is_old.then(|| {
        tenant.proof = Some(proven.proof);
        Noted::Confirmed
    })
}

/// Whether a proof differs from the last recorded one in its verdict or reasons.
fn is_news(tenant: &Tenant, proof: &Proof) -> bool {
    tenant.proof.as_ref().is_none_or(|last| (last.verdict, &last.reasons) != (proof.verdict, &proof.reasons))
}

/// Records a proof and enqueues its event.
pub(super) fn record(tenant: &mut Tenant, proven: Proven, now: Timestamp) {
    let Proven { proof, reported, .. } = proven;
    let mut data = match tenant.operation() {
        Some(operation) => common_data(tenant, operation),
        None => standing(tenant),
    };
    data["verdict"] = json!(proof.verdict);
    data["reasons"] = json!(proof.reasons);
    data["digest"] = json!(proof.digest);
    if let (Value::Object(data), Value::Object(reported)) = (&mut data, reported) {
        data.extend(reported);
    }
    let kind = format!("tenant.isolation.{}", proof.verdict.as_str());
    tenant.proof = Some(proof);
    tenant.enqueue_event_without_operation(&kind, data, now);
}
