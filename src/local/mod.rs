//! The world with no Azure: one state file, a queue in it, the embedded host, the simulated Azure.

pub mod cloud;
pub mod db;
