//! All resource types. A new one is a file beside this one and a line in [`TYPES`].

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

/// All types, in the order in which a provider lists its own.
pub(crate) fn all() -> impl Iterator<Item = &'static dyn ResourceType> {
    TYPES.iter().copied()
}

/// A type by its name, compared without case.
pub(crate) fn find(name: &str) -> Option<&'static dyn ResourceType> {
    all().find(|kind| kind.profile().name.eq_ignore_ascii_case(name))
}

/// The type of a resource, a collection or a resource group by its id.
pub(crate) fn of(path: &ResourcePath) -> Option<&'static dyn ResourceType> {
    match path.provider {
        Some(_) => find(&path.kind()),
        None => find(resource_group::TYPE),
    }
}

/// The namespace of a provider in its own spelling; none if no type is of it.
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
