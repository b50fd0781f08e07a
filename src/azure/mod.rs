//! The real world's adapters. The wire and the Event Grid topic serve the local world too, whose Azure is simulated
//! but behind HTTP.

pub mod bridge;
mod call;
pub mod client;
pub mod event_grid;
mod lanes;
pub mod prober;
pub mod rights;
pub mod service_bus;
pub mod tables;
pub mod throttle;
pub mod token;
mod transport;
pub mod wire;
pub mod world;
