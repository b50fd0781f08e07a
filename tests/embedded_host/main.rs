//! The embedded Functions host, driving handlers over real HTTP. Waits are for events, bounded by
//! [`stage::PATIENCE`]; only what is itself a duration (a timeout, a lock) takes its time.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests may fail a test")]

mod delivery;
mod front;
mod life;
mod stage;
