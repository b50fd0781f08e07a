//! tenantry provisions a tenant with secure, isolated access to an AI web service on Azure for each sign-up message.
//!
//! Decisions are made in `tenantry_core`, which has no clock, no network and no files: blueprints, the tenant document,
//! the engine, the steps, the rules for isolation and drift. This crate acts on them.
//!
//! The modules, in the order in which a message passes through them:
//!
//! 1. [`host`]: the protocol of the Functions host, which posts envelopes and expects JSON objects.
//! 2. [`app`]: what each function does, and the HTTP API.
//! 3. [`intake`]: parses a message to a request and applies it to the tenant's document, or records a refusal.
//! 4. [`reconciler`]: carries out what the engine decides: takes the lease, saves before it sends, requeues, publishes
//!    events.
//! 5. [`scan`]: reads Azure to check isolation and drift.
//!
//! [`paging`] reads whole lists; [`wake_up`] is the message that schedules the next reconcile pass. [`ports`] are the
//! interfaces to the environment: [`azure`] implements them for Azure, `local` with a simulated Azure (the crate
//! `azure_sim`); a package for Azure is built without `local`. [`cli`] has one file per command; [`config`] reads the
//! settings, and [`telemetry`] writes logs, traces and metrics.

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
