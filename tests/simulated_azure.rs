//! The simulated Azure, driven over HTTP as the product drives it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "simulated_azure/world.rs"]
mod world;

#[path = "simulated_azure/chaos.rs"]
mod chaos;
#[path = "simulated_azure/cognitive.rs"]
mod cognitive;
#[path = "simulated_azure/command.rs"]
mod command;
#[path = "simulated_azure/durable.rs"]
mod durable;
#[path = "simulated_azure/graph.rs"]
mod graph;
#[path = "simulated_azure/identity.rs"]
mod identity;
#[path = "simulated_azure/killed.rs"]
mod killed;
#[path = "simulated_azure/learning.rs"]
mod learning;
#[path = "simulated_azure/network.rs"]
mod network;
#[path = "simulated_azure/resources.rs"]
mod resources;
#[path = "simulated_azure/service_bus.rs"]
mod service_bus;
#[path = "simulated_azure/topic.rs"]
mod topic;
