//! Describes the answer to a request that repeats an earlier one.

use serde_json::Value;
use tenantry_core::tenant::{Action, Status};

use super::call::text;

/// The text for the answer to a repeated request, and whether the result of the earlier request still holds; `None` for
/// any other answer.
pub(super) fn described(answer: &Value, action: Option<Action>) -> Option<(String, bool)> {
    answer.get("replayed").filter(|replayed| **replayed == Value::Bool(true))?;
    let [tenant, operation, status] = ["/tenantId", "/operationId", "/status"].map(|at| text(answer, at));
    let mut text_of_repeat = format!(
        "nothing was done: it repeats operation {operation} of tenant {tenant}, which is {status} now"
    );
    let superseded = answer.get("superseded") == Some(&Value::Bool(true));
    // The status says nothing about an update; a later one may have changed the same fields.
    let stands = |action: Action| action != Action::Update && asked_for(action).as_str() == status;
    let holds = !superseded || action.is_some_and(stands);
    if superseded {
        text_of_repeat.push_str(", after later requests");
    }
    if !holds {
        text_of_repeat.push_str("; to do it again, send it with another requestId");
    }
    Some((text_of_repeat, holds))
}

/// The status that a tenant has after a request with this action was carried out.
pub(in crate::cli) fn asked_for(action: Action) -> Status {
    match action {
        Action::Deprovision => Status::Deleted,
        Action::Suspend => Status::Suspended,
        Action::Signup | Action::Update | Action::Resume | Action::Retry | Action::Reconcile => {
            Status::Active
        }
    }
}
