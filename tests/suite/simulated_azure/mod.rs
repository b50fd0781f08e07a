//! The simulated Azure, driven over HTTP as the product drives it.

mod world;

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
