//! Virtual networks, which can only be read.

use crate::resources::{network::VERSION, profile::Profile, resource_type::ResourceType};

/// The resource type of virtual networks.
pub(crate) struct VirtualNetwork;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile =
    Profile { name: "Microsoft.Network/virtualNetworks", version: VERSION, ..Profile::READ_ONLY };

impl ResourceType for VirtualNetwork {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
}
