//! Resource groups.

use crate::resources::{
    names::has_only,
    profile::{NameRule, PollTypes, Profile, Seconds, States, Wording, WriteForm},
    resource_type::ResourceType,
};

/// The name of the resource type of resource groups.
pub(crate) const TYPE: &str = "Microsoft.Resources/resourceGroups";
/// The api-version of resource groups and providers.
pub(crate) const VERSION: &str = "2024-07-01";

/// The resource type of resource groups, which contain all other resources.
pub(crate) struct ResourceGroup;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile = Profile {
    name: TYPE,
    version: VERSION,
    names: NameRule {
        allows: |name| has_only(name, 1, 90, "-_.()") && !name.ends_with('.'),
        text: "1 to 90 letters, digits, '-', '_', '.', '(' and ')', not ending in a dot",
    },
    seconds: Seconds { create: 0, update: 0, delete: 30 },
    write: WriteForm::Done(201),
    slow_delete: true,
    states: Some(States::USUAL),
    empties_singly: true,
    polls: PollTypes { status: "operationresults", location: "operationresults" },
    wording: Wording {
        noun: "resource group",
        invalid_name: "InvalidResourceGroupName",
        other_location: "InvalidResourceGroupLocation",
    },
    ..Profile::READ_ONLY
};

impl ResourceType for ResourceGroup {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
}
