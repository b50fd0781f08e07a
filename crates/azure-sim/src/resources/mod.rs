//! The resource types of Resource Manager. Each has a file, which implements
//! [`ResourceType`](resource_type::ResourceType), and a line in the [`registry`].
//!
//! Other files have what the types of one provider share (`network`, `machine_learning`, `cognitive_services`), or what
//! the types of several providers share (`identity_member`, `private_link`, `addresses`).

mod addresses;
pub(crate) mod body;
pub(crate) mod cognitive_account;
mod cognitive_services;
pub(crate) mod deleted_items;
mod dns_zone_group;
pub(crate) mod draft;
mod federated_credential;
pub(crate) mod identity_member;
mod insights_component;
mod key_vault;
mod machine_learning;
mod model_deployment;
pub(crate) mod names;
mod network;
mod network_interface;
mod online_deployment;
pub(crate) mod online_endpoint;
mod private_dns_zone;
pub(crate) mod private_endpoint;
mod private_link;
pub(crate) mod profile;
pub(crate) mod registry;
pub(crate) mod resource_group;
pub(crate) mod resource_type;
mod storage_account;
mod subnet;
mod user_assigned_identity;
mod virtual_network;
mod workspace;
