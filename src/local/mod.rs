//! The world with no Azure: one state file, a queue in it, the embedded host, the simulated Azure.

mod alarm;
pub mod clock;
pub mod cloud;
pub mod db;
pub mod folder;
pub mod host;
pub mod pair;
pub mod probe;
pub mod queue;
pub mod state;
pub mod world;
