//! Role assignments and definitions. Source: Azure docs, role-based-access-control troubleshooting.
//!
//! An assignment's name is a GUID, unique everywhere; its principal, role and scope can't change.

use crate::{
    access::allows,
    api_version, built_in,
    call::Call,
    error::CloudError,
    graph::principals,
    path::last,
    reply::{Outcome, Refusal, Reply, refuse},
    stamp::{DIRECTORY_ID, SUBSCRIPTION_ID},
    store::{Change, Look, Object, Snapshot},
    write,
};
use serde_json::{Value, json};
use uuid::Uuid;

/// The kind of an assignment.
pub(crate) const ASSIGNMENT: &str = "Microsoft.Authorization/roleAssignments";
/// The kind of a definition.
pub(crate) const DEFINITION: &str = "Microsoft.Authorization/roleDefinitions";
/// The api-version of both.
const VERSION: &str = "2022-04-01";

fn id_of(scope: &str, name: &str) -> String {
    format!("{scope}/providers/{ASSIGNMENT}/{name}")
}

fn name_key(name: &str) -> String {
    format!("assignment@{}", name.to_lowercase())
}

/// Who, what and where: equal triples are one grant. Only the GUID counts of the role's id.
fn triple_key(scope: &str, role: &str, principal: &str) -> String {
    format!("grant@{scope}|{}|{principal}", last(role)).to_lowercase()
}

fn triple_of(object: &Object) -> String {
    triple_key(
        object.text("/properties/scope"),
        object.text("/properties/roleDefinitionId"),
        object.text("/properties/principalId"),
    )
}

/// Assigns a role.
pub(crate) fn assign(change: &mut Change<'_>, call: &Call, scope: &str, name: &str) -> Outcome {
    api_version::check(call, ASSIGNMENT, VERSION)?;
    if name.parse::<Uuid>().is_err() {
        let message =
            format!("The role assignment ID '{name}' is not valid. The role assignment ID must be a GUID.");
        return refuse(400, "InvalidRoleAssignmentId", message);
    }
    let body = call.json()?;
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (role, principal) = (text("/properties/roleDefinitionId"), text("/properties/principalId"));
    let kind = text("/properties/principalType");
    if principal.parse::<Uuid>().is_err() {
        return refuse(400, "InvalidPrincipalId", "The principalId must be the GUID of a directory object.");
    }
    if !write::scope_exists(change, scope)? {
        return refuse(
            404,
            "ResourceNotFound",
            format!("The scope '{scope}' of the role assignment was not found."),
        );
    }
    let triple = triple_key(scope, role, principal);
    let holder = change.named(&name_key(name))?.map(|id| change.object(&id)).transpose()?.flatten();
    if let Some(holder) = holder {
        if triple_of(&holder) == triple {
            return Ok(Reply::json(200, holder.body).of(holder.tenant));
        }
        let message = "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.";
        return refuse(400, "RoleAssignmentUpdateNotPermitted", message);
    }
    if change.named(&triple)?.is_some() {
        return refuse(409, "RoleAssignmentExists", "The role assignment already exists.");
    }
    if definition(change, role)?.is_none() {
        let message = format!("The specified role definition with ID '{}' does not exist.", last(role));
        return refuse(400, "RoleDefinitionDoesNotExist", message);
    }
    check_principal(change, principal, kind)?;
    let kind = if kind.is_empty() { "User" } else { kind }.to_owned();
    let object = insert(change, scope, name, role, principal, &kind, None)?;
    Ok(Reply::json(201, object.body).of(object.tenant))
}

/// The directory must know the principal; with the right type it need not have replicated it.
fn check_principal(change: &Change<'_>, principal: &str, kind: &str) -> Outcome<()> {
    let object = principals::find(change, principal)?;
    let known =
        object.as_ref().is_some_and(|object| kind == "ServicePrincipal" || object.visible <= change.now);
    if known {
        if !["", "ServicePrincipal"].contains(&kind) {
            let message =
                format!("Principals of type ServicePrincipal cannot validly be used as type '{kind}'.");
            return refuse(400, "UnmatchedPrincipalType", message);
        }
        return Ok(());
    }
    let message = format!(
        "Principal {} does not exist in the directory {DIRECTORY_ID}. Check that you have the correct principal ID. \
         If you are creating this principal and then immediately assigning a role, this error might be related to a \
         replication delay. In this case, set the role assignment principalType property to a value, such as \
         ServicePrincipal, User, or Group.",
        principal.replace('-', "")
    );
    refuse(400, "PrincipalNotFound", message)
}

fn insert(
    change: &mut Change<'_>,
    scope: &str,
    name: &str,
    role: &str,
    principal: &str,
    kind: &str,
    tenant: Option<String>,
) -> Result<Object, CloudError> {
    let (id, now) = (id_of(scope, name), change.now.to_string());
    // However it was given, it is shown with the subscription in front (hashicorp/terraform-provider-azurerm#13993).
    let role = format!("/subscriptions/{SUBSCRIPTION_ID}/providers/{DEFINITION}/{}", last(role));
    let tenant = match tenant {
        Some(tenant) => Some(tenant),
        None => match change.tenant_at(scope)? {
            Some(tenant) => Some(tenant),
            None => principals::find(change, principal)?.and_then(|principal| principal.tenant),
        },
    };
    let object = Object {
        body: json!({
            "id": id, "name": name, "type": ASSIGNMENT,
            "properties": {
                "roleDefinitionId": role, "principalId": principal, "principalType": kind, "scope": scope,
                "createdOn": now, "updatedOn": now, "createdBy": DIRECTORY_ID, "updatedBy": DIRECTORY_ID,
            },
        }),
        id,
        kind: ASSIGNMENT.to_owned(),
        tenant,
        seeded: false,
        visible: change.now,
        busy: None,
        deleted: None,
    };
    change.put(&object)?;
    change.take_name(&name_key(name), &object.id)?;
    change.take_name(&triple_of(&object), &object.id)?;
    Ok(object)
}

/// What Azure grants by itself; nothing if it is granted already.
pub(crate) fn grant(
    change: &mut Change<'_>,
    scope: &str,
    role: &str,
    principal: &str,
    tenant: Option<String>,
) -> Result<(), CloudError> {
    if change.named(&triple_key(scope, role, principal))?.is_none() {
        let name = change.identity(scope)?;
        insert(change, scope, &name, role, principal, "ServicePrincipal", tenant)?;
    }
    Ok(())
}

/// Takes back what [`grant`] gave.
pub(crate) fn revoke(
    change: &mut Change<'_>,
    scope: &str,
    role: &str,
    principal: &str,
) -> Result<(), CloudError> {
    let id = change.named(&triple_key(scope, role, principal))?;
    match id.map(|id| change.object(&id)).transpose()?.flatten() {
        Some(object) => forget(change, &object),
        None => Ok(()),
    }
}

/// Whether a principal is assigned a role at a scope or above it that allows an action there.
pub(crate) fn may(
    look: &Snapshot,
    principal: &str,
    scope: &str,
    action: &str,
    on_data: bool,
) -> Result<bool, CloudError> {
    let mut at = scope.to_lowercase();
    while !at.is_empty() {
        for one in look.under(&format!("{at}/providers/{}/", ASSIGNMENT.to_lowercase()))? {
            let known = one.kind == ASSIGNMENT && one.visible <= look.now;
            if known && one.text("/properties/principalId").eq_ignore_ascii_case(principal) {
                let role = definition(look, one.text("/properties/roleDefinitionId"))?.unwrap_or_default();
                if permits(&role, action, on_data) {
                    return Ok(true);
                }
            }
        }
        at.truncate(at.rfind('/').unwrap_or(0));
    }
    Ok(false)
}

/// Whether a role definition allows an action.
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

/// Forgets an assignment and sets its names free.
pub(crate) fn forget(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    change.free_name(&name_key(last(&object.id)))?;
    change.free_name(&triple_of(object))?;
    change.forget(&object.id)
}

/// Removes an assignment: 200 with what it was, or 204.
pub(crate) fn unassign(change: &mut Change<'_>, call: &Call, scope: &str, name: &str) -> Outcome {
    api_version::check(call, ASSIGNMENT, VERSION)?;
    let Some(object) = change.object(&id_of(scope, name))? else {
        return Ok(Reply::empty(204).of(change.tenant_at(scope)?));
    };
    forget(change, &object)?;
    Ok(Reply::json(200, object.body).of(object.tenant))
}

/// Shows one assignment, or lists those at, above and below a scope.
pub(crate) fn read_assignment(look: &Snapshot, call: &Call, scope: &str, name: Option<&str>) -> Outcome {
    api_version::check(call, ASSIGNMENT, VERSION)?;
    if let Some(name) = name {
        return match look.object(&id_of(scope, name))? {
            Some(object) => Ok(Reply::json(200, object.body).of(object.tenant)),
            None => {
                let message = format!("The role assignment '{name}' is not found.");
                Ok(Refusal::new(404, "RoleAssignmentNotFound", message).arm().of(look.tenant_at(scope)?))
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
        found.extend(look.under(&below)?.into_iter().filter(|object| object.kind == ASSIGNMENT));
        above.truncate(above.rfind('/').unwrap_or(0));
    }
    let value: Vec<Value> =
        found.into_iter().filter(|object| filter.takes(object)).map(|object| object.body).collect();
    Ok(Reply::json(200, json!({ "value": value })).of(look.tenant_at(scope)?))
}

/// The part of the filter language that the service knows.
struct Filter {
    at_scope: bool,
    principal: Option<String>,
}

impl Filter {
    fn parse(text: &str) -> Outcome<Self> {
        let mut filter = Self { at_scope: false, principal: None };
        for part in text.split(" and ").map(str::trim).filter(|part| !part.is_empty()) {
            let words: Vec<&str> = part.split_whitespace().collect();
            match words.as_slice() {
                [word] if word.eq_ignore_ascii_case("atScope()") => filter.at_scope = true,
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

fn definition(look: &impl Look, id: &str) -> Result<Option<Value>, CloudError> {
    let own = format!("/subscriptions/{SUBSCRIPTION_ID}/providers/{DEFINITION}/{}", last(id));
    let custom = look.object(&own)?.filter(|object| object.kind == DEFINITION);
    Ok(custom.map(|object| object.body).or_else(|| built_in::find(last(id))))
}

/// Shows a role definition, or lists all.
pub(crate) fn read_definition(look: &Snapshot, call: &Call, _: &str, name: Option<&str>) -> Outcome {
    api_version::check(call, DEFINITION, VERSION)?;
    let Some(name) = name else {
        let all =
            look.under(&format!("/subscriptions/{SUBSCRIPTION_ID}/providers/{DEFINITION}/").to_lowercase())?;
        let mut value: Vec<Value> = all.into_iter().map(|object| object.body).collect();
        let known = |role: &Value| value.iter().any(|other| other["name"] == role["name"]);
        let built_in: Vec<Value> = built_in::all().filter(|role| !known(role)).collect();
        value.extend(built_in);
        return Ok(Reply::json(200, json!({ "value": value })));
    };
    match definition(look, name)? {
        Some(body) => Ok(Reply::json(200, body)),
        None => {
            let message = format!("The specified role definition with ID '{name}' does not exist.");
            refuse(404, "RoleDefinitionDoesNotExist", message)
        }
    }
}
