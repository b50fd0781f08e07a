//! Reads role assignments, and evaluates them for calls to tenants' services.

use serde_json::{Value, json};

use crate::{
    api_version,
    call::Call,
    error::CloudError,
    reply::{Outcome, Refusal, Reply, refuse},
    roles::{
        actions::allows,
        definitions::definition,
        ids::{ASSIGNMENT, VERSION, id_of},
    },
    store::{Object, Snapshot, StoreQuery},
};

/// Answers a GET of the role assignment with this name (a GUID), or, if `name` is `None`, of the assignments at, above
/// and below a scope.
pub(crate) fn read_assignment(view: &Snapshot, call: &Call, scope: &str, name: Option<&str>) -> Outcome {
    api_version::check(call, ASSIGNMENT, VERSION)?;
    if let Some(name) = name {
        return match view.object(&id_of(scope, name))? {
            Some(object) => Ok(Reply::json(200, object.body).of(object.tenant)),
            None => {
                let message = format!("The role assignment '{name}' is not found.");
                Ok(Refusal::new(404, "RoleAssignmentNotFound", message).arm().of(view.tenant_at(scope)?))
            }
        };
    }
    let filter = Filter::parse(call.query.get("$filter").map_or("", String::as_str))?;
    let mut found = Vec::new();
    let mut above = scope.to_lowercase();
    while !above.is_empty() {
        let below = if above == scope.to_lowercase() && !filter.at_scope {
            format!("{above}/")
        } else {
            format!("{above}/providers/{}/", ASSIGNMENT.to_lowercase())
        };
        found.extend(view.under(&below)?.into_iter().filter(|object| object.kind == ASSIGNMENT));
        above.truncate(above.rfind('/').unwrap_or(0));
    }
    let value: Vec<Value> =
        found.into_iter().filter(|object| filter.takes(object)).map(|object| object.body).collect();
    Ok(Reply::json(200, json!({ "value": value })).of(view.tenant_at(scope)?))
}

/// A parsed `$filter` of a list of role assignments. Only `atScope()` and `principalId eq '...'` are supported.
struct Filter {
    at_scope: bool,
    principal: Option<String>,
}

impl Filter {
    fn parse(text: &str) -> Outcome<Self> {
        let mut filter = Self { at_scope: false, principal: None };
        for part in text.split(" and ").map(str::trim).filter(|part| !part.is_empty()) {
            let terms: Vec<&str> = part.split_whitespace().collect();
            match terms.as_slice() {
                [term] if term.eq_ignore_ascii_case("atScope()") => filter.at_scope = true,
                [name, "eq", value] if name.eq_ignore_ascii_case("principalId") => {
                    filter.principal = Some(value.trim_matches('\'').to_owned());
                }
                _ => {
                    let message =
                        format!("The filter '{text}' is not supported: principalId eq '...', atScope().");
                    return refuse(400, "UnsupportedQuery", message);
                }
            }
        }
        Ok(filter)
    }

    fn takes(&self, object: &Object) -> bool {
        self.principal
            .as_ref()
            .is_none_or(|id| object.text("/properties/principalId").eq_ignore_ascii_case(id))
    }
}

/// Whether a principal has a role assignment at a scope, or above it, that allows an action. `on_data` says whether it
/// is a data action.
pub(crate) fn may(
    view: &Snapshot,
    principal: &str,
    scope: &str,
    action: &str,
    on_data: bool,
) -> Result<bool, CloudError> {
    let mut at = scope.to_lowercase();
    while !at.is_empty() {
        for one in view.under(&format!("{at}/providers/{}/", ASSIGNMENT.to_lowercase()))? {
            let known = one.kind == ASSIGNMENT && one.visible <= view.now;
            if known && one.text("/properties/principalId").eq_ignore_ascii_case(principal) {
                let role = definition(view, one.text("/properties/roleDefinitionId"))?.unwrap_or_default();
                if permits(&role, action, on_data) {
                    return Ok(true);
                }
            }
        }
        at.truncate(at.rfind('/').unwrap_or(0));
    }
    Ok(false)
}

/// Whether a role definition allows an action. `on_data` says whether it is a data action.
fn permits(role: &Value, action: &str, on_data: bool) -> bool {
    let (yes, no) = if on_data { ("dataActions", "notDataActions") } else { ("actions", "notActions") };
    let entries = role.pointer("/properties/permissions").and_then(Value::as_array).into_iter().flatten();
    entries.into_iter().any(|entry| {
        let texts = |name: &str| -> Vec<String> {
            let list = entry.get(name).and_then(Value::as_array).into_iter().flatten();
            list.filter_map(|text| Some(text.as_str()?.to_owned())).collect()
        };
        allows(&texts(yes), &texts(no), action)
    })
}
