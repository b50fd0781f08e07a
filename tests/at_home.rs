//! At home under the real Functions host: what its timers, its queues and its HTTP front do to a handler, and what has to
//! come of it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;
#[path = "at_home/late.rs"]
mod late;
#[path = "at_home/said.rs"]
mod said;
#[path = "at_home/sweep.rs"]
mod sweep;
