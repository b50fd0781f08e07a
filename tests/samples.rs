//! The signup apps of examples/signup-app against the real program: a sign-up, what is told of it, twice and late, and
//! who may tell.
//!
//! Each test plays one story with each language.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

#[path = "samples/app.rs"]
mod app;
#[path = "samples/delivery.rs"]
mod delivery;
#[path = "binary/program.rs"]
#[allow(dead_code, reason = "only the running of commands is needed here")]
mod program;
#[path = "samples/queue.rs"]
mod queue;
#[path = "samples/webhook.rs"]
mod webhook;
