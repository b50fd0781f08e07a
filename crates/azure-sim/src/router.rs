//! Selects the service of the simulated Azure that a request is for.

use crate::{identity, inference, login, service::Service, service_bus};

/// The service for the `Host` header and the path of a request. Unknown paths go to ARM, which refuses them.
pub(crate) fn route(host: &str, path: &str) -> Service {
    if inference::is_host(host) {
        Service::Inference
    } else if path.starts_with("/_sim/") {
        Service::Simulator
    } else if path.starts_with("/v1.0/") {
        Service::Graph
    } else if path == "/api/events" {
        Service::EventGrid
    } else if path == identity::PATH {
        Service::Identity
    } else if login::directory(path).is_some() {
        Service::Login
    } else if service_bus::entity(path).is_some() {
        Service::Bus
    } else {
        Service::Arm
    }
}
