//! The list of all resource types. To add a type, write a file beside this one and add a line to [`TYPES`].

use crate::{
    path::ResourcePath,
    resources::{
        cognitive_account::CognitiveAccount,
        dns_zone_group::DnsZoneGroup,
        federated_credential::FederatedCredential,
        insights_component::InsightsComponent,
        key_vault::KeyVault,
        model_deployment::ModelDeployment,
        network_interface::NetworkInterface,
        online_deployment::OnlineDeployment,
        online_endpoint::OnlineEndpoint,
        private_dns_zone::PrivateDnsZone,
        private_endpoint::PrivateEndpoint,
        resource_group::{self, ResourceGroup},
        resource_type::ResourceType,
        storage_account::StorageAccount,
        subnet::Subnet,
        user_assigned_identity::UserAssignedIdentity,
        virtual_network::VirtualNetwork,
        workspace::Workspace,
    },
};

static TYPES: [&dyn ResourceType; 17] = [
    &ResourceGroup,
    &UserAssignedIdentity,
    &FederatedCredential,
    &StorageAccount,
    &KeyVault,
    &InsightsComponent,
    &Workspace,
    &OnlineEndpoint,
    &OnlineDeployment,
    &CognitiveAccount,
    &ModelDeployment,
    &PrivateEndpoint,
    &DnsZoneGroup,
    &VirtualNetwork,
    &Subnet,
    &NetworkInterface,
    &PrivateDnsZone,
];

/// All resource types. A provider lists its types in this order.
pub(crate) fn all() -> impl Iterator<Item = &'static dyn ResourceType> {
    TYPES.iter().copied()
}

/// The resource type with a name, compared without case.
pub(crate) fn find(name: &str) -> Option<&'static dyn ResourceType> {
    all().find(|kind| kind.profile().name.eq_ignore_ascii_case(name))
}

/// The resource type in the path of a resource, a collection or a resource group. `None` if the type is not simulated.
pub(crate) fn of(path: &ResourcePath) -> Option<&'static dyn ResourceType> {
    match path.provider {
        Some(_) => find(&path.kind()),
        None => find(resource_group::TYPE),
    }
}

/// The namespace of a provider as Azure spells it, compared without case. `None` if no resource type of the provider is
/// simulated.
pub(crate) fn namespace(name: &str) -> Option<&'static str> {
    all().map(|kind| kind.profile().namespace()).find(|namespace| namespace.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_has_a_name_of_its_own_a_version_and_a_known_parent() {
        let names: BTreeSet<String> = all().map(|kind| kind.profile().name.to_lowercase()).collect();
        assert_eq!(names.len(), TYPES.len());
        for profile in all().map(|kind| kind.profile()) {
            assert!(!profile.version.is_empty(), "{}", profile.name);
            let parent = profile.name.rsplit_once('/').map_or("", |(parent, _)| parent);
            assert!(!parent.contains('/') || find(parent).is_some(), "{}", profile.name);
        }
    }

    #[test]
    fn deleted_resources_are_kept_for_a_while() {
        for kind in all().filter(|kind| kind.deleted_items().is_some()) {
            assert!(kind.profile().kept_days.is_some(), "{}", kind.profile().name);
        }
    }
}
