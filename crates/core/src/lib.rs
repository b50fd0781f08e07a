//! What tenantry decides, and nothing that it does: no async, no clock, no randomness, no I/O. The same arguments give the
//! same answer, so every decision can be tried, simulated and repeated.
//!
//! In the order in which a request meets them:
//!
//! 1. [`blueprint`]: what a tenant consists of; a file becomes a checked graph, then one tenant's plan.
//! 2. [`tenant`]: the one document that holds all that is durably known of a tenant, with the notices that wait to be sent
//!    and the events and rows of history that they become.
//! 3. [`engine`]: compares what is wanted with what is recorded and seen, and says what to do next (`engine/decide.rs`); what
//!    an answer makes of a step is a file in `engine/transitions`.
//! 4. [`steps`]: one file per kind of step: the requests it makes, and what the answers mean. The table of failures is
//!    in `steps/codes.rs`.
//!
//! [`compare`] alone holds what Azure shows against what is desired. [`isolation`] judges from what Azure shows whether
//! only a tenant reaches its service, [`drift`] whether it is still as it was left. [`permissions`] derives the least
//! power that carrying a blueprint out takes.
//!
//! [`ids`] are what things are called, each with its grammar, ids of Azure's resources among them; [`mod@pointer`] spells
//! the places within a value; [`secrets`] knows what a secret looks like, for whoever redacts one or refuses it;
//! [`time`] adds to instants.

pub mod blueprint;
pub mod compare;
pub mod drift;
pub mod engine;
pub mod ids;
pub mod isolation;
pub mod permissions;
pub mod pointer;
pub mod secrets;
pub mod steps;
pub mod tenant;
pub mod time;
