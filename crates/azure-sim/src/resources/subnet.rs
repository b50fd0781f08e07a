//! Subnets, which can only be read.

use crate::resources::{network::VERSION, profile::Profile, resource_type::ResourceType};

/// The resource type of subnets.
pub(crate) struct Subnet;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile =
    Profile { name: "Microsoft.Network/virtualNetworks/subnets", version: VERSION, ..Profile::READ_ONLY };

impl ResourceType for Subnet {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
}
