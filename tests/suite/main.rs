//! The integration tests, as one program; each module documents what it proves.
//!
//! `cargo test --test suite plan::` runs one module. Tests that need more than the checkout are ignored;
//! `cargo xtask test` runs them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and so may its helpers"
)]

/// The production adapters against a scripted server: what they send, and how they treat bad answers.
mod adapters;
/// The layering of the parts, compared with the code: what may use what, what stays pure, how large files get.
mod architecture;
/// Under the real Functions host: what its timers, queues and HTTP front do to a handler, and how the handler reacts.
mod at_home;
/// Bad inputs, by number: what each one is, how it is answered, and that it changes nothing.
mod bad_inputs;
/// The program as people, scripts and the Functions host run it: output and exit codes.
mod binary;
/// Bad blueprints, each beside what is found in it.
mod blueprint_findings;
/// What Azure shows against what is desired: what is a difference, and what is only another form.
mod compare;
/// Settings: all faults at once, each with its name, what is wrong and an example.
mod config;
/// A tenant's lifecycle is the same, byte for byte, alone and beside busy neighbours with nearly its name.
mod differential;
/// The documentation says what is there, and what it shows on a command line happens.
mod documentation;
/// The tenant's document as stores hold it: nothing is lost on the way.
mod documents;
/// Changes made outside tenantry are found, classified, reported once, and corrected where a setting says so.
mod drift;
/// The embedded Functions host, which calls handlers over real HTTP.
mod embedded_host;
/// Scenarios of the engine, each beside its trace.
mod engine;
/// One word for each concept: words that the glossary replaces appear nowhere else.
mod glossary;
/// After a worker that ends or dies, another one continues its work.
mod handover;
/// The protocol between the Functions host and the handler, compared with recorded and derived payloads.
mod host_contract;
/// `host.json`, the `function.json` files and the table of functions say the same, and say it safely.
mod host_files;
/// Every change and every save is repeated, lost, refused or the last one: the end state is the same.
mod idempotency;
/// What `infra/` creates, compared with the program: each name is defined once.
mod infra;
/// How requests are answered: all faults at once, the same answer for the same request, and what they change.
mod intake;
/// Only a tenant reaches its service, or the report says who else.
mod isolation;
/// One false answer at every point of a tenant's lifecycle: the tenant becomes ready all the same, and no token goes to
/// another host.
mod lies;
/// The lifecycle of tenants in a complete local environment: signed up, changed, removed, disturbed.
mod lifecycle;
/// The local state on a disk that fails: what was acknowledged is there afterwards, whole.
mod local_disk;
/// The broker in the state file, compared with what Service Bus promises.
mod local_queue;
/// Subscribers that can't be reached: how soon, and how often, publishing is retried.
mod outbox;
/// The package that is deployed, started in an empty folder as the Functions host starts it.
mod package;
/// The least permissions: derived from blueprints, printed, and compared with what the simulated Azure requires.
mod permissions;
/// Plans: blueprints worked out for one tenant.
mod plan;
/// The isolation check by calls: services in the simulated Azure are called as their tenants and as others.
mod probes;
/// The whole production path on loopback: host, program, simulated Azure and Azurite.
mod production;
/// Properties of the engine that hold for all events in any order.
mod properties;
/// The signup apps of `examples/signup-app` against the real program.
mod samples;
/// How often a tenant's document is saved: each save costs a round trip.
mod saves;
/// The published JSON Schemas are those of the types, and what is sent conforms to them.
mod schemas;
/// The simulated Azure, called over HTTP as the product calls it.
mod simulated_azure;
/// One contract that every state store keeps: the model in memory, the local file, Table Storage.
mod state_store;
/// Each kind of step: the requests that it makes, and what it reads from answers.
mod steps;
/// The table of errors: what Azure and Graph answer, how it is classified, and what is kept of it.
mod steps_failures;
/// Long-running operations, in every form of answer.
mod steps_operations;
/// No secret that a service writes into an answer is kept; all other text stays as it is.
mod steps_redaction;
/// Traces, metrics and the log: one run is one trace, with no secret in it.
mod telemetry;
/// `verify` from end to end: evidence, reports, exit codes, history.
mod verify;
/// Requests that come as events: a delivery is taken in as a whole, or it is delivered again.
mod webhook;
/// The files for GitHub and CI, compared with the repository.
mod workflows;

// What the tests share.
mod testkit;
