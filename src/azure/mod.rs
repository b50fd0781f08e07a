//! The real world's adapters. So far those that the local world uses as well: the wire and the Event Grid topic.

pub mod bridge;
pub mod client;
pub mod event_grid;
pub mod token;
mod transport;
pub mod wire;
