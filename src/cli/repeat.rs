//! What is said of a request that repeats an earlier one.

use serde_json::Value;
use tenantry_core::tenant::{Action, Status};

use super::call::text;

/// The words for an answer that is a repeat, and whether what was asked for still holds; `None` for any other answer.
pub(super) fn told(answer: &Value, action: Option<Action>) -> Option<(String, bool)> {
    answer.get("replayed").filter(|replayed| **replayed == Value::Bool(true))?;
    let [tenant, operation, status] = ["/tenantId", "/operationId", "/status"].map(|at| text(answer, at));
    let mut words = format!(
        "nothing was done: it repeats operation {operation} of tenant {tenant}, which is {status} now"
    );
    let superseded = answer.get("superseded") == Some(&Value::Bool(true));
    // How a tenant stands says nothing of what an update has asked for; a later one may have asked for something else.
    let stands = |action: Action| action != Action::Update && asked_for(action).word() == status;
    let holds = !superseded || action.is_some_and(stands);
    if superseded {
        words.push_str(", after later requests");
    }
    if !holds {
        words.push_str("; to have it done again, send it with another requestId");
    }
    Some((words, holds))
}

/// How a tenant stands once a request was carried out.
pub(in crate::cli) fn asked_for(action: Action) -> Status {
    match action {
        Action::Deprovision => Status::Deleted,
        Action::Suspend => Status::Suspended,
        Action::Signup | Action::Update | Action::Resume | Action::Retry | Action::Reconcile => {
            Status::Active
        }
    }
}
