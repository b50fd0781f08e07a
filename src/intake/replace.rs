//! What a request deletes and makes anew: told before it happens, and done only with consent.

use jiff::Timestamp;
use serde_json::json;
use tenantry_core::{
    engine::{removal, resource_id},
    ids::StepName,
    tenant::{Consent, Tenant},
};

use super::{Fault, Replacement, Request, Wish};

/// The consent that a request gives, if it does.
pub(super) fn consent(request: &Request, now: Timestamp) -> Option<Consent> {
    let allowed = match &request.wish {
        Wish::Update(changes) => changes.allow_replace,
        Wish::Retry { allow_replace } => *allow_replace,
        Wish::Signup(_) | Wish::Suspend(..) | Wish::Resume | Wish::Deprovision | Wish::Reconcile => false,
    };
    allowed.then(|| Consent { request_id: request.request_id.clone(), at: now })
}

/// What is deleted and made anew with the consent of this request.
pub(super) fn with_consent_of(tenant: &Tenant, request_id: &str) -> Vec<Replacement> {
    let given = |name: &&StepName| removal::has_consent_of(tenant, name, request_id);
    tenant.steps().keys().filter(given).map(|name| replacement(tenant, name)).collect()
}

fn replacement(tenant: &Tenant, name: &StepName) -> Replacement {
    Replacement { step: name.to_string(), resource_id: resource_id(tenant, name) }
}

/// The refusal of what would delete these without consent; the engine has said so and changed nothing.
pub(super) fn refusal(tenant: &Tenant, wish: &Wish, replaced: &[StepName]) -> Fault {
    let instead = match wish {
        Wish::Update(_) => "send it with allowReplace true (and a new requestId) if that is wanted",
        Wish::Signup(_)
        | Wish::Suspend(..)
        | Wish::Resume
        | Wish::Deprovision
        | Wish::Retry { .. }
        | Wish::Reconcile => {
            "correct the blueprint, or send an update first, with allowReplace true if that is wanted"
        }
    };
    let names: Vec<&str> = replaced.iter().map(StepName::as_str).collect();
    let ids: Vec<String> = replaced.iter().filter_map(|name| resource_id(tenant, name)).collect();
    let action = wish.action().as_str();
    let message = format!(
        "this {action} deletes and makes anew: {}; {instead}. The resources are: {}",
        names.join(", "),
        ids.join(", ")
    );
    Fault::new("/spec", "replace_not_allowed", message)
}

/// Notes in an event's data what is deleted and made anew.
pub(super) fn note(data: &mut serde_json::Value, tenant: &Tenant, request_id: &str) {
    let replaces = with_consent_of(tenant, request_id);
    if !replaces.is_empty() {
        data["replaces"] = json!(replaces);
    }
}
