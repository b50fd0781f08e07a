//! The least power: derived from blueprints, printed, and held against what the simulated Azure asks for.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

#[path = "permissions/derived.rs"]
mod derived;
#[path = "permissions/enforced.rs"]
mod enforced;
#[path = "permissions/held.rs"]
mod held;
#[path = "permissions/life.rs"]
mod life;
#[path = "permissions/matching.rs"]
mod matching;
