//! The world with no Azure: one state file, a queue in it, the embedded host, the simulated Azure.

pub mod access;
mod alarm;
pub mod clock;
pub mod folder;
pub mod host;
pub mod pair;
pub mod probe;
pub mod state;
pub mod world;
