//! tenantry turns a sign-up message into a tenant with secure, isolated access to an AI web service on Azure.
//!
//! What is decided is in `tenantry_core`, which can't wait, tell the time or reach out: blueprints, the document of a tenant,
//! the engine, the steps, the judgement of isolation and drift. Here is what is done.
//!
//! The modules, in the order in which a message meets them:
//!
//! 1. [`host`]: the Functions host speaks; envelopes in, JSON objects out.
//! 2. [`intake`]: a message becomes a request, or a recorded refusal.
//! 3. [`runner`]: does what the engine has decided: takes the lease, saves before it sends, parks, tells the world.
//! 4. [`audit`]: collects what isolation and drift are judged by.
//!
//! [`paging`] reads lists to their end. [`ports`] are the seams between these and a world; [`azure`] is the real one, `local`
//! the one with no Azure, which a package for Azure is built without; the simulated Azure in it is the crate `azure_sim`.
//! People come in through [`api`], the HTTP functions, and [`cli`], one file per command; [`config`] reads their settings
//! and [`telemetry`] writes their logs.

pub mod api;
pub mod audit;
pub mod azure;
pub mod cli;
pub mod config;
pub mod host;
pub mod intake;
#[cfg(feature = "local")]
pub mod local;
pub mod paging;
pub mod ports;
pub mod runner;
pub mod telemetry;
