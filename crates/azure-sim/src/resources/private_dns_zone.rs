//! Private DNS zones, which can only be read.

use crate::resources::{profile::Profile, resource_type::ResourceType};

/// The resource type of private DNS zones.
pub(crate) struct PrivateDnsZone;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile =
    Profile { name: "Microsoft.Network/privateDnsZones", version: "2024-06-01", ..Profile::READ_ONLY };

impl ResourceType for PrivateDnsZone {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
}
