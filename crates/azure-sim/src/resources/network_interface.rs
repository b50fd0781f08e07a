//! Network interfaces, which can only be read.

use crate::resources::{network::VERSION, profile::Profile, resource_type::ResourceType};

/// The resource type of network interfaces.
pub(crate) struct NetworkInterface;

/// The constant properties of the resource type.
pub(crate) static PROFILE: Profile =
    Profile { name: "Microsoft.Network/networkInterfaces", version: VERSION, ..Profile::READ_ONLY };

impl ResourceType for NetworkInterface {
    fn profile(&self) -> &'static Profile {
        &PROFILE
    }
}
