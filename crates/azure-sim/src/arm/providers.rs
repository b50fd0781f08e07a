//! Resource providers. Those of the simulated resource types are always registered, and a registration changes nothing.

use serde_json::{Value, json};

use crate::{
    api_version,
    call::Call,
    reply::{Outcome, Reply, refuse},
    resources::{registry, resource_group},
    stamp::{REGION, SUBSCRIPTION_ID},
};

/// Answers a GET of a provider, or its registration: both return the provider with its resource types.
pub(crate) fn answer(call: &Call, namespace: &str) -> Outcome {
    api_version::check(call, "providers", resource_group::VERSION)?;
    match registry::namespace(namespace) {
        Some(namespace) => Ok(Reply::json(200, body(namespace))),
        None => refuse(
            404,
            "InvalidResourceNamespace",
            format!("The resource namespace '{namespace}' is invalid."),
        ),
    }
}

fn body(namespace: &str) -> Value {
    let types: Vec<Value> = registry::all()
        .map(|kind| kind.profile())
        .filter(|kind| kind.namespace() == namespace)
        .map(|kind| {
            let name = kind.name.split_once('/').map_or(kind.name, |(_, rest)| rest);
            json!({ "resourceType": name, "locations": [REGION], "apiVersions": [kind.version] })
        })
        .collect();
    json!({
        "id": format!("/subscriptions/{SUBSCRIPTION_ID}/providers/{namespace}"),
        "namespace": namespace,
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": types,
    })
}
