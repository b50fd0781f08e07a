//! The program as people, scripts and the Functions host run it: arguments and settings in, output and exit codes out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

#[path = "binary/commands.rs"]
mod commands;
#[path = "binary/events.rs"]
mod events;
#[path = "binary/killed.rs"]
mod killed;
#[path = "binary/local.rs"]
mod local;
#[path = "binary/program.rs"]
mod program;
#[path = "binary/serve.rs"]
mod serve;
#[path = "binary/stopped.rs"]
mod stopped;
#[path = "binary/subscriber.rs"]
mod subscriber;
