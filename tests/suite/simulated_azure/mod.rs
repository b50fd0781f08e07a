//! The simulated Azure, called over HTTP as the product calls it.

mod fixture;

mod chaos;
mod cognitive;
mod command;
mod durable;
mod graph;
mod identity;
mod killed;
mod learning;
mod network;
mod resources;
mod service_bus;
mod topic;
