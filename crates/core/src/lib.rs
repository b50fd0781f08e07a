//! The decisions of tenantry, as pure functions: no async, no clock, no randomness, no I/O. The same arguments always
//! give the same result, so every decision can be tested, simulated and replayed.
//!
//! The modules, in the order in which a request passes through them:
//!
//! 1. [`blueprint`]: describes what a tenant consists of. A file becomes a checked graph, then one tenant's plan.
//! 2. [`tenant`]: the document with the whole durable state of one tenant, its outbox included, and the events and
//!    history rows that outbox entries become.
//! 3. [`engine`]: compares the desired state with the recorded and the observed state and decides what to do next
//!    (`engine/decide.rs`). `engine/transitions` has one file for each transition of a step.
//! 4. [`steps`]: one file per kind of step: the requests it makes, and what the answers mean. `steps/codes.rs` has the
//!    table of error codes.
//!
//! [`compare`] is the only module that compares the desired with the observed state of an object. [`isolation`] judges
//! from the observed state whether only a tenant reaches its service; [`drift`] reports whether a tenant still matches
//! its desired state. [`permissions`] derives the minimum permissions that the deployment of a blueprint needs.
//!
//! [`types`] has the table of Azure's resource types: their API versions, and what a body may say at a version.
//!
//! [`ids`] has validated names and Azure resource ids; [`mod@pointer`] encodes JSON pointers; [`secrets`] recognizes
//! secrets, to redact or refuse them; [`spelling`] suggests names for misspelt ones; [`time`] adds durations to
//! instants.

pub mod blueprint;
pub mod compare;
pub mod drift;
pub mod engine;
pub mod ids;
pub mod isolation;
pub mod permissions;
pub mod pointer;
pub mod secrets;
pub mod spelling;
pub mod steps;
pub mod tenant;
pub mod time;
pub mod types;
