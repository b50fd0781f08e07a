//! Derives the actions that a request to Resource Manager needs permission for.
//!
//! The action is the resource type with `read` for GET and HEAD, `write` for PUT and PATCH, `delete` for DELETE, or
//! `action` for POST. A PUT also needs actions at the resources that its body names.

use serde_json::Value;

use crate::{
    activity,
    call::Call,
    path::{ResourcePath, segments},
    resources::{registry, resource_type::LinkedAction},
};

/// An action that a request needs, and the scope at which it needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) action: String,
    pub(super) scope: String,
    /// Whether the request polls a long-running operation.
    pub(super) asks: bool,
}

/// Resource types that stand for long-running operations: a GET of one is a poll.
const OPERATIONS: [&str; 6] = [
    "operations",
    "operationresults",
    "operationstatuses",
    "mfeoperationresults",
    "mfeoperationsstatus",
    "workspaceoperationsstatus",
];

/// Provider and type of the polls for which Microsoft's list of permissions has no action. No role can grant one, so
/// these polls need none.
const UNPUBLISHED: [(&str, &str); 2] =
    [("Microsoft.Storage", "asyncOperations"), ("Microsoft.CognitiveServices", "operationStatuses")];

/// The action that a request needs at the resource in its path. `None` if the path can't be parsed, and for polls that
/// need no action.
pub(super) fn main(call: &Call) -> Option<Need> {
    let parts = segments(&call.path)?;
    let provider = parts.iter().rposition(|part| part.eq_ignore_ascii_case("providers"));
    let (namespace, rest) = match provider {
        None => ("Microsoft.Resources", &parts[..]),
        Some(at) => (parts.get(at + 1)?.as_str(), parts.get(at + 2..)?),
    };
    let mut types: Vec<&str> = rest.iter().step_by(2).map(String::as_str).collect();
    // A request for the activity log needs the permission at the scope that its filter names.
    let scope = activity::scope(call).unwrap_or_else(|| format!("/{}", parts.join("/")));
    let is_operation = types.last().is_some_and(|last| OPERATIONS.contains(&last.to_lowercase().as_str()));
    let verb = match call.method.as_str() {
        "GET" | "HEAD" if types.is_empty() => {
            return Some(Need {
                action: "Microsoft.Resources/subscriptions/providers/read".into(),
                scope,
                asks: false,
            });
        }
        "GET" | "HEAD" => "read",
        "PUT" | "PATCH" => "write",
        "DELETE" => "delete",
        _ => "action",
    };
    let last = types.last().copied().unwrap_or_default();
    if UNPUBLISHED
        .iter()
        .any(|(of, kind)| of.eq_ignore_ascii_case(namespace) && kind.eq_ignore_ascii_case(last))
    {
        return None;
    }
    let mut parts = vec![namespace];
    parts.append(&mut types);
    parts.push(verb);
    Some(Need { action: parts.join("/"), scope, asks: is_operation && verb == "read" })
}

/// The actions that a PUT needs at the other resources that its body names; empty for other methods.
pub(super) fn links(call: &Call) -> Vec<Need> {
    let (Some(path), Ok(body)) = (ResourcePath::of(&call.path), call.json()) else { return Vec::new() };
    if call.method != "PUT" {
        return Vec::new();
    }
    let kind = registry::find(&path.kind());
    let mut linked = kind.map_or_else(Vec::new, |kind| kind.linked_actions(&body));
    let identities = body.pointer("/identity/userAssignedIdentities").and_then(Value::as_object);
    for id in identities.into_iter().flat_map(|all| all.keys()) {
        linked.push(LinkedAction { id: id.clone(), action: "assign/action" });
    }
    let need = |LinkedAction { id, action }| {
        let kind = ResourcePath::of(&id)?.kind();
        Some(Need { action: format!("{kind}/{action}"), scope: id, asks: false })
    };
    linked.into_iter().filter_map(need).collect()
}
