//! The environment without Azure: one state file with a queue in it, the embedded host, the simulated Azure.

pub mod access;
pub mod clock;
pub mod environment;
pub mod folder;
pub mod host;
pub mod pair;
pub mod probe;
mod scheduler;
pub mod state;
