//! From a request to the actions that it takes.
//!
//! A type of resource and what is done with it make the action: GET reads, PUT writes, DELETE deletes, POST is an action
//! of its own name. What a body names takes rights there too.

use serde_json::Value;

use crate::{
    activity,
    call::Call,
    path::{Place, segments},
    resources::{registry, resource_type::LinkedAction},
};

/// An action and where it is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) action: String,
    pub(super) scope: String,
    /// Whether it is a question about a running operation.
    pub(super) asks: bool,
}

/// The types below which operations are asked about.
const OPERATIONS: [&str; 6] = [
    "operations",
    "operationresults",
    "operationstatuses",
    "mfeoperationresults",
    "mfeoperationsstatus",
    "workspaceoperationsstatus",
];

/// Operations that Microsoft's list has no action for, so that no role could hold one: provider and type.
const UNPUBLISHED: [(&str, &str); 2] =
    [("Microsoft.Storage", "asyncOperations"), ("Microsoft.CognitiveServices", "operationStatuses")];

/// What the request itself takes; `None` for what is no path of Resource Manager, and for questions about operations of
/// services that publish no action for them.
pub(super) fn main(call: &Call) -> Option<Need> {
    let words = segments(&call.path)?;
    let provider = words.iter().rposition(|word| word.eq_ignore_ascii_case("providers"));
    let (namespace, rest) = match provider {
        None => ("Microsoft.Resources", &words[..]),
        Some(at) => (words.get(at + 1)?.as_str(), words.get(at + 2..)?),
    };
    let mut types: Vec<&str> = rest.iter().step_by(2).map(String::as_str).collect();
    // The activity log of a part of the subscription is for whoever may read that part's.
    let scope = activity::scope(call).unwrap_or_else(|| format!("/{}", words.join("/")));
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
        .any(|(of, word)| of.eq_ignore_ascii_case(namespace) && word.eq_ignore_ascii_case(last))
    {
        return None;
    }
    let mut parts = vec![namespace];
    parts.append(&mut types);
    parts.push(verb);
    Some(Need { action: parts.join("/"), scope, asks: is_operation && verb == "read" })
}

/// What the body of a PUT takes elsewhere.
pub(super) fn links(call: &Call) -> Vec<Need> {
    let (Some(place), Ok(body)) = (Place::of(&call.path), call.json()) else { return Vec::new() };
    if call.method != "PUT" {
        return Vec::new();
    }
    let kind = registry::find(&place.kind());
    let mut linked = kind.map_or_else(Vec::new, |kind| kind.linked_actions(&body));
    let identities = body.pointer("/identity/userAssignedIdentities").and_then(Value::as_object);
    for id in identities.into_iter().flat_map(|all| all.keys()) {
        linked.push(LinkedAction { id: id.clone(), action: "assign/action" });
    }
    let need = |LinkedAction { id, action }| {
        let kind = Place::of(&id)?.kind();
        Some(Need { action: format!("{kind}/{action}"), scope: id, asks: false })
    };
    linked.into_iter().filter_map(need).collect()
}
