//! The production adapters against a scripted server: what they send, and how they treat bad answers.

mod answers;
mod bridge;
mod limits;
mod requests;
mod script;
mod service_bus;
