//! Determines what a request deletes and recreates. That is listed beforehand, and done only with consent.

use jiff::Timestamp;
use serde_json::json;
use tenantry_core::{
    engine::{removal, resource_id},
    ids::StepName,
    tenant::{Consent, Tenant},
};

use super::{Command, Fault, Replacement, Request};

/// The consent that a request gives, if it has `allowReplace`.
pub(super) fn consent(request: &Request, now: Timestamp) -> Option<Consent> {
    let allowed = match &request.command {
        Command::Update(changes) => changes.allow_replace,
        Command::Retry { allow_replace } => *allow_replace,
        Command::Signup(_)
        | Command::Suspend(..)
        | Command::Resume
        | Command::Deprovision
        | Command::Reconcile => false,
    };
    allowed.then(|| Consent { request_id: request.request_id.clone(), at: now })
}

/// The objects that are deleted and recreated with the consent of a request.
pub(super) fn with_consent_of(tenant: &Tenant, request_id: &str) -> Vec<Replacement> {
    let given = |name: &&StepName| removal::has_consent_of(tenant, name, request_id);
    tenant.steps().keys().filter(given).map(|name| replacement(tenant, name)).collect()
}

fn replacement(tenant: &Tenant, name: &StepName) -> Replacement {
    Replacement { step: name.to_string(), resource_id: resource_id(tenant, name) }
}

/// The fault of a request that would delete and recreate these steps' objects without consent. The desired state is
/// unchanged.
pub(super) fn refusal(tenant: &Tenant, command: &Command, replaced: &[StepName]) -> Fault {
    let instead = match command {
        Command::Update(_) => "send it with allowReplace true (and a new requestId) if that is intended",
        Command::Signup(_)
        | Command::Suspend(..)
        | Command::Resume
        | Command::Deprovision
        | Command::Retry { .. }
        | Command::Reconcile => {
            "correct the blueprint, or send an update first, with allowReplace true if that is intended"
        }
    };
    let names: Vec<&str> = replaced.iter().map(StepName::as_str).collect();
    let ids: Vec<String> = replaced.iter().filter_map(|name| resource_id(tenant, name)).collect();
    let action = command.action().as_str();
    let message = format!(
        "this {action} deletes and recreates: {}; {instead}. The resources are: {}",
        names.join(", "),
        ids.join(", ")
    );
    Fault::new("/spec", "replace_not_allowed", message)
}

/// Adds to an event's data what is deleted and recreated with the consent of a request.
pub(super) fn note(data: &mut serde_json::Value, tenant: &Tenant, request_id: &str) {
    let replaces = with_consent_of(tenant, request_id);
    if !replaces.is_empty() {
        data["replaces"] = json!(replaces);
    }
}
