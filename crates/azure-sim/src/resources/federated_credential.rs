//! Federated identity credentials of user-assigned managed identities.

use crate::resources::{
    names::{begins_alphanumeric, has_only},
    profile::{NameRule, Profile, WriteForm},
    resource_type::ResourceType,
    user_assigned_identity::VERSION,
};

/// The resource type of federated identity credentials: each is an issuer and a subject whose tokens a user-assigned
/// identity trusts.
pub(crate) struct FederatedCredential;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
    version: VERSION,
    names: NameRule {
        allows: |name| has_only(name, 3, 120, "-_") && begins_alphanumeric(name),
        text: "3 to 120 letters, digits, '-' and '_', beginning with a letter or digit",
    },
    write: WriteForm::Done(201),
    located: false,
    ..Profile::READ_ONLY
};

impl ResourceType for FederatedCredential {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
}
