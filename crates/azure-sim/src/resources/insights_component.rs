//! Application Insights components.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    reply::{Outcome, refuse},
    resources::{
        body::{default, keep},
        draft::Draft,
        names::has_only,
        profile::{NameRule, Profile, Seconds, States, WriteForm},
        resource_type::{FindType, ResourceType},
    },
    stamp::DIRECTORY_ID,
    store::Change,
};

/// The resource type of Application Insights components.
pub(crate) struct InsightsComponent;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.Insights/components",
    version: "2020-02-02",
    names: NameRule {
        allows: |name| has_only(name, 1, 255, "-_.()") && !name.ends_with('.'),
        text: "1 to 255 letters, digits, '-', '_', '.', '(' and ')'",
    },
    seconds: Seconds { create: 3, update: 0, delete: 0 },
    write: WriteForm::Resource(200),
    states: Some(States { creating: "Deploying", updating: "Succeeded", deleting: "Succeeded" }),
    ..Profile::READ_ONLY
};

impl ResourceType for InsightsComponent {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Refuses a component without a kind, or without a valid application type.
    fn check(&self, _: &Change<'_>, draft: &Draft<'_>, _: FindType) -> Outcome<()> {
        if draft.text("/kind").is_empty() {
            return refuse(400, "InvalidRequestContent", "The property 'kind' is required.");
        }
        if !["web", "other"].contains(&draft.text("/properties/Application_Type")) {
            return refuse(
                400,
                "InvalidRequestContent",
                "The property 'Application_Type' must be 'web' or 'other'.",
            );
        }
        Ok(())
    }

    /// Adds the properties that Application Insights sets itself, and default values.
    fn complete(
        &self,
        change: &mut Change<'_>,
        draft: &Draft<'_>,
        body: &mut Value,
    ) -> Result<(), CloudError> {
        let (app, key) = (change.identity(&draft.id)?, change.identity(&draft.id)?);
        let name = draft.path.name();
        keep(draft, body, "AppId", json!(app));
        keep(draft, body, "InstrumentationKey", json!(key));
        keep(draft, body, "CreationDate", json!(change.now.to_string()));
        let key = body["properties"]["InstrumentationKey"].as_str().unwrap_or_default().to_owned();
        body["properties"]["ApplicationId"] = json!(name);
        body["properties"]["Name"] = json!(name);
        body["properties"]["TenantId"] = json!(DIRECTORY_ID);
        body["properties"]["ConnectionString"] = json!(format!("InstrumentationKey={key}"));
        default(body, "Flow_Type", json!("Bluefield"));
        default(body, "Request_Source", json!("rest"));
        default(body, "RetentionInDays", json!(90));
        default(body, "IngestionMode", json!("LogAnalytics"));
        default(body, "publicNetworkAccessForIngestion", json!("Enabled"));
        default(body, "publicNetworkAccessForQuery", json!("Enabled"));
        Ok(())
    }
}
