//! tenantry turns a sign-up message into a tenant with secure, isolated access to an AI web service on Azure.
//!
//! What is decided is in `tenantry_core`, which can't wait, tell the time or reach out: blueprints, the document of a tenant,
//! the engine, the steps, the judgement of isolation and drift. Here is what is done.
//!
//! The modules, in the order in which a message meets them:
//!
//! 1. [`host`]: the protocol of the Functions host; envelopes in, JSON objects out.
//! 2. [`app`]: what each function does, and the calls over HTTP.
//! 3. [`intake`]: a message becomes a request, or a recorded refusal.
//! 4. [`reconciler`]: does what the engine has decided: takes the lease, saves before it sends, parks, publishes events.
//! 5. [`scan`]: collects what isolation and drift are judged by.
//!
//! [`paging`] reads lists to their end, [`wake_up`] is the message by which the app comes back to a tenant. [`ports`] are the seams between these and a world; [`azure`] is the real one, `local`
//! the one with no Azure, which a package for Azure is built without; the simulated Azure in it is the crate `azure_sim`.
//! [`cli`] has one file per command; [`config`] reads the settings and [`telemetry`] writes logs, traces and metrics.

pub mod app;
pub mod azure;
pub mod cli;
pub mod config;
pub mod host;
pub mod intake;
#[cfg(feature = "local")]
pub mod local;
pub mod paging;
pub mod ports;
pub mod reconciler;
pub mod scan;
pub mod telemetry;
pub mod wake_up;
