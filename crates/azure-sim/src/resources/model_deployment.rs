//! Models that are deployed in an account of Cognitive Services.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    path::last,
    reply::{Outcome, refuse},
    resources::{
        body::default,
        cognitive_services::{NAMES, STATES, VERSION, bad, deployments},
        draft::Draft,
        profile::{Profile, Seconds, WriteForm},
        resource_type::{FindType, ResourceType},
    },
    store::{Change, Object},
};

/// The resource type of model deployments in accounts of Cognitive Services.
pub(crate) struct ModelDeployment;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.CognitiveServices/accounts/deployments",
    version: VERSION,
    names: NAMES,
    seconds: Seconds { create: 20, update: 10, delete: 10 },
    write: WriteForm::Status,
    slow_delete: true,
    states: Some(STATES),
    located: false,
    system_data: true,
    ..Profile::READ_ONLY
};

impl ResourceType for ModelDeployment {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses an incomplete model deployment, an account that is not ready or can't have models, and a request while
    /// another deployment of the account is being changed.
    fn check(&self, change: &Change<'_>, draft: &Draft<'_>, _: FindType) -> Outcome<()> {
        let Some(account) = &draft.parent else { return Ok(()) };
        match account.text("/properties/provisioningState") {
            "Succeeded" => {}
            state => {
                let message = format!("The account '{}' is in state {state}.", last(&account.id));
                return refuse(409, "AccountProvisioningStateInvalid", message);
            }
        }
        if !["OpenAI", "AIServices"].contains(&account.text("/kind")) {
            return bad(format!("An account of kind '{}' has no deployments.", account.text("/kind")));
        }
        if ["format", "name"]
            .iter()
            .any(|member| draft.text(&format!("/properties/model/{member}")).is_empty())
        {
            return bad("A deployment's model needs a 'format' and a 'name'.");
        }
        let capacity = draft.body.pointer("/sku/capacity").and_then(Value::as_u64);
        if draft.text("/sku/name").is_empty() || capacity.unwrap_or_default() == 0 {
            return bad("A deployment needs a 'sku.name' and a 'sku.capacity' of at least 1.");
        }
        check_siblings(change, &account.id, &draft.id)
    }

    /// Adds the default values and the current capacity that Cognitive Services sets.
    fn complete(&self, _: &mut Change<'_>, draft: &Draft<'_>, body: &mut Value) -> Result<(), CloudError> {
        default(body, "versionUpgradeOption", json!("OnceNewDefaultVersionAvailable"));
        body["properties"]["currentCapacity"] = draft.body["sku"]["capacity"].clone();
        Ok(())
    }

    /// Refuses to delete a model deployment while another one of the same account is being changed.
    fn check_delete(&self, change: &Change<'_>, object: &Object) -> Outcome<()> {
        let account = object.id.rsplit_once("/deployments/").map_or("", |(account, _)| account);
        check_siblings(change, account, &object.id)
    }
}

fn check_siblings(change: &Change<'_>, account: &str, id: &str) -> Outcome<()> {
    let busy = |object: &Object| object.busy.is_some() && object.key() != id.to_lowercase();
    match deployments(change, account)?.iter().find(|object| busy(object)) {
        Some(other) => {
            let message = format!(
                "Another operation is being performed on the parent resource '{account}' or on '{}'. Please try again later.",
                last(&other.id)
            );
            refuse(409, "RequestConflict", message)
        }
        None => Ok(()),
    }
}
