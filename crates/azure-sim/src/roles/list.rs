//! Reads role assignments, and evaluates them for calls to tenants' services.

use serde_json::{Value, json};

use crate::{
    api_version,
    call::Call,
    error::CloudError,
    path::covers,
    reply::{Outcome, Refusal, Reply, refuse},
    roles::{
        actions::allows,
        definitions::definition,
        ids::{ASSIGNMENT, VERSION, held_by, id_of},
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
    let scope = scope.to_lowercase();
    let found = match &filter.principal {
        Some(principal) => {
            let mut held = view.indexed(&held_by(principal))?;
            held.retain(|object| {
                let at = object.text("/properties/scope");
                covers(at, &scope) || (!filter.at_scope && covers(&scope, at))
            });
            held
        }
        None => around(view, &scope, filter.at_scope)?,
    };
    let value: Vec<Value> = found.into_iter().map(|object| object.body).collect();
    Ok(Reply::json(200, json!({ "value": value })).of(view.tenant_at(&scope)?))
}

/// All assignments at a scope and above it; without `at_scope`, those below the scope too.
fn around(view: &Snapshot, scope: &str, at_scope: bool) -> Result<Vec<Object>, CloudError> {
    let collection = format!("/providers/{}/", ASSIGNMENT.to_lowercase());
    let mut found = if at_scope {
        view.under(&format!("{scope}{collection}"))?
    } else {
        view.under_if(&format!("{scope}/"), |key| key.contains(&collection))?
    };
    let mut above = scope.to_owned();
    while let Some(end) = above.rfind('/') {
        above.truncate(end);
        found.extend(view.under(&format!("{above}{collection}"))?);
    }
    found.retain(|object| object.kind == ASSIGNMENT);
    Ok(found)
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
    for one in view.indexed(&held_by(principal))? {
        if one.visible <= view.now && covers(one.text("/properties/scope"), scope) {
            let role = definition(view, one.text("/properties/roleDefinitionId"))?.unwrap_or_default();
            if permits(&role, action, on_data) {
                return Ok(true);
            }
        }
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
