//! tenantry turns a sign-up message into a tenant with secure, isolated access to an AI web service on Azure.
//!
//! The modules, in the order in which a message meets them:
//!
//! 1. [`host`]: the Functions host speaks; envelopes in, JSON objects out.
//! 2. [`intake`]: a message becomes a request, or a recorded refusal.
//! 3. [`tenant`]: the one document that holds all that is durably known of a tenant.
//! 4. [`blueprint`]: what a tenant consists of; a file becomes a checked graph, then one tenant's plan.
//! 5. [`engine`]: decides what to do next; pure.
//! 6. [`steps`]: one file per kind of step; requests and verdicts; pure.
//! 7. [`runner`]: does what was decided.
//! 8. [`announce`]: tells the world.
//!
//! [`ids`] are what things are called, each with its grammar, ids of Azure's resources among them; [`secrets`] knows what a
//! secret looks like, for whoever redacts one or refuses it.
//!
//! [`permissions`] derives from a blueprint the least power that carrying it out takes; pure. [`isolation`] judges from what
//! Azure shows whether only a tenant reaches its service, and [`drift`] whether it is still as it was left, both pure;
//! [`audit`] collects what they judge.
//!
//! [`compare`] alone holds what Azure shows against what is desired, and [`paging`] reads lists to their end. [`mod@pointer`]
//! spells the places within a value that everything names.
//!
//! [`ports`] are the seams between these and a world; [`azure`] is the real one, `local` the one with no Azure, which a
//! package for Azure is built without. People come in through [`api`], the HTTP functions, and [`cli`], one file per
//! command; [`config`] reads their settings and [`telemetry`] writes their logs.

pub mod announce;
pub mod api;
pub mod audit;
pub mod azure;
pub mod blueprint;
pub mod cli;
pub mod compare;
pub mod config;
pub mod drift;
pub mod engine;
pub mod host;
pub mod ids;
pub mod intake;
pub mod isolation;
#[cfg(feature = "local")]
pub mod local;
pub mod mutant;
pub mod paging;
pub mod permissions;
pub mod pointer;
pub mod ports;
pub mod runner;
pub mod secrets;
pub mod steps;
pub mod telemetry;
pub mod tenant;
