//! The production adapters against a scripted server: what goes out, and what becomes of bad answers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail a test")]

#[path = "adapters/answers.rs"]
mod answers;
#[path = "adapters/bridge.rs"]
mod bridge;
#[path = "adapters/limits.rs"]
mod limits;
#[path = "adapters/requests.rs"]
mod requests;
#[path = "adapters/script.rs"]
mod script;
#[path = "adapters/service_bus.rs"]
mod service_bus;
