//! User-assigned managed identities.

use serde_json::{Value, json};

use crate::{
    error::CloudError,
    graph::managed,
    resources::{
        draft::Draft,
        names::{begins_alphanumeric, has_only},
        profile::{NameRule, Profile, WriteForm},
        resource_type::ResourceType,
    },
    stamp::DIRECTORY_ID,
    store::{Change, Object},
};

/// The name of the resource type of user-assigned identities.
pub(crate) const TYPE: &str = "Microsoft.ManagedIdentity/userAssignedIdentities";
/// The api-version of the provider Microsoft.ManagedIdentity.
pub(super) const VERSION: &str = "2023-01-31";

/// The resource type of user-assigned identities: managed identities that are resources of their own.
pub(crate) struct UserAssignedIdentity;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: TYPE,
    version: VERSION,
    names: NameRule {
        allows: |name| has_only(name, 3, 128, "-_") && begins_alphanumeric(name),
        text: "3 to 128 letters, digits, '-' and '_', beginning with a letter or digit",
    },
    write: WriteForm::Done(201),
    ..Profile::READ_ONLY
};

impl ResourceType for UserAssignedIdentity {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }

    /// Creates the service principal of a new user-assigned identity. An existing identity keeps its own.
    fn complete(
        &self,
        change: &mut Change<'_>,
        draft: &Draft<'_>,
        body: &mut Value,
    ) -> Result<(), CloudError> {
        let before = draft.before.as_ref().and_then(|before| before.body.get("properties"));
        body["properties"] = match before {
            Some(properties) => properties.clone(),
            None => {
                let (principal, client) =
                    managed::make_managed(change, &draft.id, draft.path.name(), draft.tenant.clone())?;
                json!({ "tenantId": DIRECTORY_ID, "principalId": principal, "clientId": client })
            }
        };
        Ok(())
    }

    /// Deletes the service principal of a deleted identity. Role assignments to the principal stay, as in Azure.
    fn removed(&self, change: &mut Change<'_>, object: &Object) -> Result<(), CloudError> {
        managed::forget_managed(change, object.text("/properties/principalId"))
    }
}
