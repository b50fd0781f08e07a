//! Managed online endpoints of a workspace and their deployments.

use serde_json::{Map, Value, json};

use crate::{
    error::CloudError,
    path::last,
    reply::{Outcome, refuse},
    resources::{Draft, identity, simple},
    roles::{self, ids::role_id},
    stamp::{BLOB_READER_ROLE, SUBSCRIPTION_ID},
    store::{Change, Look as _, Object},
};

/// The type of endpoints.
pub(crate) const KIND: &str = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints";
/// The type of deployments.
pub(crate) const DEPLOYMENT: &str =
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments";

fn bad<T>(message: impl Into<String>) -> Outcome<T> {
    refuse(400, "BadRequest", message)
}

/// Refuses while the parent is not ready. Microsoft's own clients are told so too (azure-sdk-for-net#36961).
fn check_parent(draft: &Draft<'_>, what: &str) -> Outcome<()> {
    let Some(parent) = &draft.parent else { return Ok(()) };
    match parent.text("/properties/provisioningState") {
        "Succeeded" => Ok(()),
        state => bad(format!("The {what} '{}' is in {state} provisioning state.", last(&parent.id))),
    }
}

/// Refuses what an endpoint can't be or become.
pub(crate) fn check(change: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    check_parent(draft, "workspace")?;
    let mode = draft.text("/properties/authMode");
    if !["Key", "AMLToken", "AADToken"].contains(&mode) {
        return bad(format!("'{mode}' is not a value of authMode: Key, AMLToken or AADToken."));
    }
    if let Some(before) = draft.text_before("/properties/authMode").filter(|before| *before != mode) {
        return bad(format!("The authMode of an endpoint cannot be changed from {before} to {mode}."));
    }
    let (wanted, before) = (draft.text("/identity/type"), draft.text_before("/identity/type"));
    if !wanted.is_empty() && before.is_some_and(|before| !before.eq_ignore_ascii_case(wanted)) {
        return bad("The identity type of an endpoint cannot be changed.");
    }
    match draft.body.pointer("/properties/traffic") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(traffic)) => check_traffic(change, draft, traffic),
        Some(_) => bad("'traffic' is not an object."),
    }
}

fn check_traffic(change: &Change<'_>, draft: &Draft<'_>, traffic: &Map<String, Value>) -> Outcome<()> {
    let mut sum = 0;
    for (deployment, percent) in traffic {
        let Some(percent) = percent.as_u64().filter(|percent| *percent <= 100) else {
            return bad(format!("The traffic of '{deployment}' is no whole number from 0 to 100."));
        };
        sum += percent;
        if change.alive(&format!("{}/deployments/{deployment}", draft.id))?.is_none() {
            return bad(format!("The deployment '{deployment}' named in traffic does not exist."));
        }
    }
    if sum != 0 && sum != 100 {
        return bad(format!("The traffic of all deployments must sum to 0 or 100, not {sum}."));
    }
    Ok(())
}

/// What an endpoint shows besides what was asked for.
pub(crate) fn fill(_: &mut Change<'_>, draft: &Draft<'_>, body: &mut Value) -> Result<(), CloudError> {
    if let Some(properties) = body["properties"].as_object_mut() {
        // Keys are never shown again, URIs only once there is something behind them.
        for name in ["keys", "scoringUri", "swaggerUri"] {
            properties.remove(name);
        }
    }
    for name in ["scoringUri", "swaggerUri"] {
        if let Some(uri) = draft.text_before(&format!("/properties/{name}")).filter(|uri| !uri.is_empty()) {
            body["properties"][name] = json!(uri);
        }
    }
    simple::default(body, "traffic", json!({}));
    simple::default(body, "mirrorTraffic", json!({}));
    simple::default(body, "publicNetworkAccess", json!("Enabled"));
    simple::default(body, "properties", json!({}));
    if body.get("kind").is_none() {
        body["kind"] = json!("Managed");
    }
    Ok(())
}

/// An endpoint is ready: it has its URIs, and its own identity may read the workspace's default datastore.
pub(crate) fn written(change: &mut Change<'_>, object: &mut Object) -> Result<(), CloudError> {
    let host =
        format!("{}.{}.inference.ml.azure.com", last(&object.id), object.text("/location")).to_lowercase();
    object.body["properties"]["scoringUri"] = json!(format!("https://{host}/score"));
    object.body["properties"]["swaggerUri"] = json!(format!("https://{host}/swagger.json"));
    if identity::is_system_assigned(object)
        && let Some((scope, role)) = datastore(change, object)?
    {
        roles::grant(change, &scope, &role, object.text("/identity/principalId"), object.tenant.clone())?;
    }
    Ok(())
}

/// Where Azure lets an endpoint's own identity read by itself, and as what.
fn datastore(change: &Change<'_>, object: &Object) -> Result<Option<(String, String)>, CloudError> {
    let workspace = object.id.split("/onlineEndpoints/").next().unwrap_or_default();
    let storage = change
        .alive(workspace)?
        .map(|workspace| workspace.text("/properties/storageAccount").to_owned())
        .filter(|storage| !storage.is_empty());
    let role = role_id(SUBSCRIPTION_ID, BLOB_READER_ROLE);
    Ok(match storage {
        Some(storage) if change.alive(&storage)?.is_some() => Some((storage, role)),
        Some(_) | None => None,
    })
}

/// What Azure granted by itself goes with the endpoint.
pub(crate) fn removed(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    if identity::is_system_assigned(object)
        && let Some((scope, role)) = datastore(change, object)?
    {
        roles::revoke(change, &scope, &role, object.text("/identity/principalId"))?;
    }
    Ok(())
}

/// Refuses what a deployment can't be.
pub(crate) fn check_deployment(_: &Change<'_>, draft: &Draft<'_>) -> Outcome<()> {
    check_parent(draft, "endpoint")?;
    let compute = draft.text("/properties/endpointComputeType");
    if !["Managed", "Kubernetes"].contains(&compute) {
        return bad(format!("'{compute}' is not a value of endpointComputeType: Managed or Kubernetes."));
    }
    if draft.text_before("/properties/endpointComputeType").is_some_and(|before| before != compute) {
        return bad("The endpointComputeType of a deployment cannot be changed.");
    }
    if compute == "Managed" && draft.text("/properties/instanceType").is_empty() {
        return bad("The property instanceType is required for a managed deployment.");
    }
    let capacity = draft.body.pointer("/sku/capacity");
    if capacity.is_some_and(|capacity| !capacity.as_u64().is_some_and(|count| (1..=50).contains(&count))) {
        return bad("The capacity of a deployment's sku is a whole number from 1 to 50.");
    }
    Ok(())
}

/// What a deployment shows besides what was asked for.
pub(crate) fn fill_deployment(_: &mut Change<'_>, _: &Draft<'_>, body: &mut Value) -> Result<(), CloudError> {
    simple::default(body, "appInsightsEnabled", json!(false));
    simple::default(body, "egressPublicNetworkAccess", json!("Enabled"));
    simple::default(body, "scaleSettings", json!({ "scaleType": "Default" }));
    simple::default(body, "properties", json!({}));
    if body.get("sku").is_none() {
        body["sku"] = json!({ "name": "Default", "capacity": 1 });
    }
    Ok(())
}

fn endpoint_of(change: &Change<'_>, deployment: &Object) -> Result<Option<Object>, CloudError> {
    let key = deployment.key();
    change.alive(key.split("/deployments/").next().unwrap_or_default())
}

/// The name under which the endpoint's traffic speaks of a deployment, with its share.
fn share(endpoint: &Object, deployment: &Object) -> Option<(String, u64)> {
    let traffic = endpoint.body.pointer("/properties/traffic")?.as_object()?;
    let (name, percent) = traffic.iter().find(|(name, _)| name.eq_ignore_ascii_case(last(&deployment.id)))?;
    Some((name.clone(), percent.as_u64().unwrap_or_default()))
}

/// Refuses to remove a deployment that still gets traffic.
pub(crate) fn check_deployment_delete(change: &Change<'_>, object: &Object) -> Outcome<()> {
    let share = endpoint_of(change, object)?.and_then(|endpoint| share(&endpoint, object));
    match share {
        Some((name, percent)) if percent > 0 => bad(format!(
            "The deployment '{name}' gets {percent} % of the traffic; set that to 0 before deleting it."
        )),
        Some(_) | None => Ok(()),
    }
}

/// A removed deployment no longer stands in its endpoint's traffic.
pub(crate) fn removed_deployment(change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
    let Some(mut endpoint) = endpoint_of(change, object)? else { return Ok(()) };
    let Some((name, _)) = share(&endpoint, object) else { return Ok(()) };
    if let Some(traffic) = endpoint.body["properties"]["traffic"].as_object_mut() {
        traffic.remove(&name);
    }
    change.put(&endpoint)
}
