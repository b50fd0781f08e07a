//! The ports for Azure. The transport, the prober and the Event Grid publisher also serve the local environment, whose
//! Azure is simulated behind HTTP.

pub mod bridge;
mod call;
pub mod client;
pub mod event_grid;
mod keyed_queues;
pub mod ports;
pub mod prober;
pub mod rights;
pub mod service_bus;
pub mod tables;
pub mod throttle;
pub mod token;
mod token_transport;
pub mod transport;
