//! Federated identity credentials of applications. An application has at most 20, each with another combination of
//! issuer and subject.
//!
//! Source: Entra documentation, workload-identity-federation-considerations.

use serde_json::{Value, json};

use crate::{
    call::Call,
    error::CloudError,
    graph::{
        body::{bad, body_of, check_read_only, creates, merge, missing, update, visible_from, with_context},
        find::{Key, application},
        kinds::CREDENTIAL,
    },
    reply::{Outcome, Reply, refuse},
    store::{Change, Object, Snapshot, StoreQuery},
};

const MOST: usize = 20;

/// All federated identity credentials of an application, including those that replicas do not show yet.
pub(crate) fn all(view: &impl StoreQuery, application: &Object) -> Result<Vec<Object>, CloudError> {
    view.under(&format!("{}/federatedidentitycredentials/", application.key()))
}

/// The credential of an application with this key, which replicas need not show yet. A key that is an id may also be
/// the name, as in Graph.
pub(crate) fn find(view: &impl StoreQuery, owner: &Key, key: &Key) -> Result<Option<Object>, CloudError> {
    let Some(application) = application(view, owner)? else { return Ok(None) };
    let matches = |object: &Object| match key {
        Key::Id(text) => object.text("/id").eq_ignore_ascii_case(text) || object.text("/name") == text,
        Key::Name(text) | Key::AppId(text) => object.text("/name") == text,
    };
    Ok(all(view, &application)?.into_iter().find(matches))
}

/// Lists those credentials of an application that replicas already show.
pub(crate) fn list(view: &Snapshot, key: &Key) -> Outcome {
    let found = application(view, key)?.filter(|found| found.visible <= view.now);
    let Some(application) = found else { return Err(missing(key.shown()).into()) };
    let value: Vec<Value> = all(view, &application)?
        .into_iter()
        .filter(|object| object.visible <= view.now)
        .map(|object| object.body)
        .collect();
    let context = "https://graph.microsoft.com/v1.0/$metadata#applications('federatedIdentityCredentials')";
    Ok(Reply::json(200, json!({ "@odata.context": context, "value": value })).of(application.tenant))
}

/// Answers a PATCH of a credential: updates it, or creates it if the request allows that.
pub(crate) fn upsert(change: &mut Change<'_>, call: &Call, owner_key: &Key, key: &Key) -> Outcome {
    let patch = body_of(call)?;
    let owner = application(change, owner_key)?.filter(|found| found.visible <= change.now);
    let Some(owner) = owner else { return Err(missing(owner_key.shown()).into()) };
    check_read_only(&patch, &["id"])?;
    let others = all(change, &owner)?;
    let before = find(change, owner_key, key)?;
    check(&patch, key, before.as_ref(), &others)?;
    if let Some(object) = before {
        return update(change, object, &patch);
    }
    let Key::Name(name) = key else { return Err(missing(key.shown()).into()) };
    if !creates(call) {
        return Err(missing(name).into());
    }
    for member in ["issuer", "subject", "audiences"] {
        if patch.get(member).is_none() {
            return bad(format!(
                "Property '{member}' is required to create a federated identity credential."
            ));
        }
    }
    if others.len() >= MOST {
        let message = "The maximum number of federated identity credentials, 20, has been reached.";
        return refuse(400, "Request_BadRequest", message);
    }
    create(change, &owner, name, &patch)
}

fn check(patch: &Value, key: &Key, before: Option<&Object>, others: &[Object]) -> Outcome<()> {
    let text = |name: &str| match patch.get(name) {
        Some(value) => value.as_str().unwrap_or_default(),
        None => before.map_or("", |before| before.text(&format!("/{name}"))),
    };
    let name = match key {
        Key::Name(name) => name.as_str(),
        Key::Id(_) | Key::AppId(_) => before.map_or("", |before| before.text("/name")),
    };
    if patch.get("name").is_some_and(|given| given != name) {
        return bad("The name of a federated identity credential cannot be changed.");
    }
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(3..=120).contains(&name.len()) || !name.chars().all(fits) {
        return bad("The name of a federated identity credential has 3 to 120 letters, digits, '-' and '_'.");
    }
    for member in ["issuer", "subject"] {
        let given = patch.get(member);
        if given.is_some_and(|value| !value.as_str().is_some_and(|text| (1..=600).contains(&text.len()))) {
            return bad(format!("Invalid value specified for property '{member}': 1 to 600 characters."));
        }
    }
    if patch.get("issuer").is_some() && !text("issuer").starts_with("https://") {
        return bad("Invalid value specified for property 'issuer': a https URL is expected.");
    }
    let one = |list: &Value| list.as_array().is_some_and(|list| list.len() == 1 && list[0].is_string());
    if patch.get("audiences").is_some_and(|list| !one(list)) {
        return bad("Invalid value specified for property 'audiences': exactly one is expected.");
    }
    let twin = others
        .iter()
        .find(|other| other.text("/issuer") == text("issuer") && other.text("/subject") == text("subject"));
    match twin.filter(|twin| before.is_none_or(|before| before.id != twin.id)) {
        Some(twin) => refuse(
            409,
            "Request_MultipleObjectsWithSameKeyValue",
            format!(
                "FederatedIdentityCredential with issuer and subject already exists on the application: '{}'.",
                twin.text("/name")
            ),
        ),
        None => Ok(()),
    }
}

fn create(change: &mut Change<'_>, owner: &Object, name: &str, patch: &Value) -> Outcome {
    let id = change.identity(name)?;
    let mut body = json!({ "id": id, "name": name, "description": null });
    merge(&mut body, patch);
    let id = format!("{}/federatedIdentityCredentials/{id}", owner.id);
    let made = Object::new(id, CREDENTIAL, body, visible_from(change));
    let object = Object { tenant: owner.tenant.clone(), ..made };
    change.put(&object)?;
    Ok(Reply::json(201, with_context(object.body, CREDENTIAL)).of(object.tenant))
}

/// Answers a DELETE of a credential: deletes it permanently.
pub(crate) fn delete(change: &mut Change<'_>, application: &Key, key: &Key) -> Outcome {
    let Some(object) = find(change, application, key)? else { return Err(missing(key.shown()).into()) };
    change.forget(&object.id)?;
    Ok(Reply::empty(204).of(object.tenant))
}
