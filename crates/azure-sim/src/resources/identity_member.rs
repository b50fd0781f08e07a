//! The member `identity` in the bodies of resources that can have managed identities.

use serde_json::{Map, Value, json};

use crate::{
    error::CloudError,
    graph::managed,
    path::last,
    reply::{Outcome, refuse},
    resources::{draft::Draft, user_assigned_identity},
    stamp::DIRECTORY_ID,
    store::{Change, Object, StoreQuery as _},
};

fn requested<'a>(draft: &'a Draft<'_>) -> &'a str {
    match draft.text("/identity/type") {
        "" => draft.text_before("/identity/type").or(draft.profile.identity).unwrap_or("None"),
        given => given,
    }
}

fn has(kind: &str, what: &str) -> bool {
    kind.split(',').any(|part| part.trim().eq_ignore_ascii_case(what))
}

fn user_assigned(draft: &Draft<'_>) -> impl Iterator<Item = String> {
    let given = draft.body.pointer("/identity/userAssignedIdentities").and_then(Value::as_object);
    given.into_iter().flat_map(Map::keys).cloned().collect::<Vec<_>>().into_iter()
}

/// Checks `identity` in a PUT: its type must be known, and the user-assigned identities that it names must exist.
pub(crate) fn check(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    let kind = requested(draft);
    if !kind
        .split(',')
        .all(|part| ["None", "SystemAssigned", "UserAssigned"].iter().any(|known| has(part, known)))
    {
        return refuse(400, "InvalidIdentityType", format!("The identity type '{kind}' is not known."));
    }
    for id in user_assigned(draft) {
        if change.alive(&id)?.is_none_or(|object| object.kind != user_assigned_identity::TYPE) {
            let message = format!("The user-assigned identity '{id}' could not be found.");
            return refuse(400, "FailedIdentityOperation", message);
        }
    }
    let given = draft.body.get("identity").is_some();
    if given && has(kind, "UserAssigned") && user_assigned(draft).next().is_none() {
        let message = "The identity type UserAssigned needs at least one entry in userAssignedIdentities.";
        return refuse(400, "InvalidIdentityType", message);
    }
    Ok(())
}

/// Completes `identity` in the body of a PUT with principal ids and client ids. Creates a system-assigned identity if
/// the type asks for one, keeps an existing one, or deletes it if the type does not ask for it any more.
pub(crate) fn complete(
    change: &mut Change<'_>,
    draft: &Draft<'_>,
    body: &mut Value,
) -> Result<(), CloudError> {
    let before = draft.before.as_ref().and_then(|before| before.body.get("identity"));
    if let (None, Some(before)) = (draft.body.get("identity"), before) {
        body["identity"] = before.clone();
        return Ok(());
    }
    let kind = requested(draft).to_owned();
    let mut identity = json!({ "type": kind });
    let had = draft.text_before("/identity/principalId").filter(|id| !id.is_empty());
    if has(&kind, "SystemAssigned") {
        let principal = match had {
            Some(principal) => principal.to_owned(),
            None => managed::make_managed(change, &draft.id, last(&draft.id), draft.tenant.clone())?.0,
        };
        identity["principalId"] = json!(principal);
        identity["tenantId"] = json!(DIRECTORY_ID);
    } else if let Some(principal) = had {
        managed::forget_managed(change, principal)?;
    }
    if has(&kind, "UserAssigned") {
        let mut all = Map::new();
        for id in user_assigned(draft) {
            let object = change.alive(&id)?;
            let text = |pointer: &str| object.as_ref().map_or("", |object| object.text(pointer));
            let both = json!({
                "principalId": text("/properties/principalId"), "clientId": text("/properties/clientId"),
            });
            all.insert(id, both);
        }
        identity["userAssignedIdentities"] = Value::Object(all);
    }
    body["identity"] = identity;
    Ok(())
}

/// Whether a resource has a system-assigned managed identity.
pub(super) fn is_system_assigned(object: &Object) -> bool {
    has(object.text("/identity/type"), "SystemAssigned")
}
