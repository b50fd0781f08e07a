//! The production adapters against a scripted server: what goes out, and what becomes of bad answers.

mod answers;
mod bridge;
mod limits;
mod requests;
mod script;
mod service_bus;
