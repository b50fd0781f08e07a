//! Deployments of managed online endpoints.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::last,
    reply::Outcome,
    resources::{
        body::default,
        draft::Draft,
        machine_learning::{self, VERSION, bad, check_parent},
        profile::{Profile, Seconds, States, WriteForm},
        resource_type::{FindType, ResourceType},
    },
    store::{Change, Object, StoreQuery as _},
};

/// The resource type of deployments of managed online endpoints.
pub(crate) struct OnlineDeployment;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
    version: VERSION,
    names: machine_learning::NAMES,
    seconds: Seconds { create: 600, update: 300, delete: 300 },
    write: WriteForm::Status,
    slow_delete: true,
    states: Some(States::USUAL),
    system_data: true,
    polls: machine_learning::POLLS,
    operation_timeout: machine_learning::TIMEOUT,
    ..Profile::READ_ONLY
};

impl ResourceType for OnlineDeployment {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses an invalid deployment, and one whose endpoint is not ready.
    fn check(&self, _: &Change<'_>, draft: &Draft<'_>, _: FindType) -> Outcome<()> {
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
        if capacity.is_some_and(|capacity| !capacity.as_u64().is_some_and(|count| (1..=50).contains(&count)))
        {
            return bad("The capacity of a deployment's sku is a whole number from 1 to 50.");
        }
        Ok(())
    }

    /// Adds the default values that Machine Learning sets.
    fn complete(&self, _: &mut Change<'_>, _: &Draft<'_>, body: &mut Value) -> Result<(), CloudError> {
        default(body, "appInsightsEnabled", json!(false));
        default(body, "egressPublicNetworkAccess", json!("Enabled"));
        default(body, "scaleSettings", json!({ "scaleType": "Default" }));
        default(body, "properties", json!({}));
        if body.get("sku").is_none() {
            body["sku"] = json!({ "name": "Default", "capacity": 1 });
        }
        Ok(())
    }

    /// Refuses to delete a deployment that has a share of its endpoint's traffic.
    fn check_delete(&self, change: &Change<'_>, object: &Object) -> Outcome<()> {
        let share = endpoint_of(change, object)?.and_then(|endpoint| share(&endpoint, object));
        match share {
            Some((name, percent)) if percent > 0 => bad(format!(
                "The deployment '{name}' gets {percent} % of the traffic; set that to 0 before deleting it."
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// Removes a deleted deployment from the traffic of its endpoint.
    fn removed(&self, change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
        let Some(mut endpoint) = endpoint_of(change, object)? else { return Ok(()) };
        let Some((name, _)) = share(&endpoint, object) else { return Ok(()) };
        if let Some(traffic) = endpoint.body["properties"]["traffic"].as_object_mut() {
            traffic.remove(&name);
        }
        change.put(&endpoint)
    }
}

fn endpoint_of(change: &Change<'_>, deployment: &Object) -> Result<Option<Object>, CloudError> {
    let key = deployment.key();
    change.alive(key.split("/deployments/").next().unwrap_or_default())
}

/// The name of a deployment as its endpoint's traffic spells it, with its share in percent; `None` if it is not named
/// there.
fn share(endpoint: &Object, deployment: &Object) -> Option<(String, u64)> {
    let traffic = endpoint.body.pointer("/properties/traffic")?.as_object()?;
    let (name, percent) = traffic.iter().find(|(name, _)| name.eq_ignore_ascii_case(last(&deployment.id)))?;
    Some((name.clone(), percent.as_u64().unwrap_or_default()))
}
