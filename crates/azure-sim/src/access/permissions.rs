//! Resource Manager's list of the permissions that a caller has at a scope.

use serde_json::{Value, json};

use crate::{
    access::rights::{Access, Holder},
    api_version,
    call::Call,
    path::covers,
    reply::{Outcome, Reply},
};

/// The scope, in lower case, in a path that lists the caller's permissions at this scope; `None` for any other path.
pub(crate) fn listed(path: &str) -> Option<String> {
    let end = "/providers/microsoft.authorization/permissions";
    path.to_lowercase().strip_suffix(end).map(str::to_owned)
}

/// Answers a request for the caller's permissions at a scope: one entry for each assignment that covers the scope. If
/// `caller` is `None`, everything is allowed. Source: Microsoft, "Permissions - List For Resource Group".
pub(crate) fn list(caller: Option<(&Access, &Holder)>, call: &Call, scope: &str) -> Outcome {
    api_version::check(call, "permissions", "2022-04-01")?;
    let entry = |actions: &[String], not_actions: &[String]| json!({"actions": actions, "notActions": not_actions, "dataActions": [], "notDataActions": []});
    let value: Vec<Value> = match caller {
        None => vec![entry(&["*".to_owned()], &[])],
        Some((access, holder)) => {
            let held = access.of(holder).filter(|one| covers(&one.scope, scope));
            held.map(|one| entry(&one.actions, &one.not_actions)).collect()
        }
    };
    Ok(Reply::json(200, json!({ "value": value })))
}
