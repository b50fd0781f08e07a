//! The integration tests, as one program: each module says what it proves.
//!
//! `cargo test --test suite plan::` runs those of one. What needs more than the checkout is ignored, and asked for by
//! `cargo xtask test`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and so may its helpers"
)]

/// The production adapters against a scripted server: what goes out, and what becomes of bad answers.
mod adapters;
/// The picture of the parts, held against the code: who may use whom, what stays pure, how large things get.
mod architecture;
/// Under the real Functions host: what its timers, queues and HTTP front do to a handler, and what comes of it.
mod at_home;
/// Bad inputs, by number: what each one is, what it is answered, and that nothing comes of it.
mod bad_inputs;
/// The program as people, scripts and the Functions host run it: output and exit codes.
mod binary;
/// Bad blueprints, each beside what is found in it.
mod blueprint_findings;
/// What Azure shows against what is desired: what is a difference, and what is only another form.
mod compare;
/// Settings: all faults at once, each with its name, what is wrong and an example.
mod config;
/// A tenant's life is the same, byte for byte, alone and beside busy neighbours of nearly its name.
mod differential;
/// The documentation says what is there, and what it shows on a command line happens.
mod documentation;
/// The tenant's document as stores hold it: nothing is lost on the way.
mod documents;
/// Changes behind tenantry's back are found, classed, told once, and put right where a setting says so.
mod drift;
/// The embedded Functions host, driving handlers over real HTTP.
mod embedded_host;
/// Scenarios of the engine, each beside the trace that it leaves.
mod engine;
/// A worker that ends or dies leaves what is under way so that others go on.
mod handover;
/// The protocol between the Functions host and the handler, held against recorded and derived payloads.
mod host_contract;
/// `host.json`, the `function.json` files and the table of functions say the same, and say it safely.
mod host_files;
/// Every change and every save repeated, lost, refused or the last: in the end it is as if nothing had happened.
mod idempotency;
/// What `infra/` makes, held against the program: one name, one place.
mod infra;
/// What requests are answered: all faults at once, the same answer for the same request, and what they change.
mod intake;
/// Only a tenant reaches its service, or the report says who else.
mod isolation;
/// One lie at every place of a tenant's life: it gets ready all the same, and no token goes to another host.
mod lies;
/// Tenants' lives in a whole local world: signed up, changed, removed, disturbed.
mod lifecycle;
/// The local state on a disk that fails: what was acknowledged is there afterwards, whole.
mod local_disk;
/// The broker in the state file, held against what Service Bus promises.
mod local_queue;
/// Subscribers that can't be reached: how soon, and how often, they are told again.
mod outbox;
/// The package that is deployed, started in an empty folder as the Functions host starts it.
mod package;
/// The least power: derived from blueprints, printed, and held against what the simulated Azure asks for.
mod permissions;
/// What becomes of a blueprint for one tenant.
mod plan;
/// The live proof: services in the simulated Azure are called as their tenants and as strangers.
mod probes;
/// The whole production path on loopback: host, program, simulated Azure and Azurite.
mod production;
/// Properties of the engine: whatever happens, in whatever order, these hold.
mod properties;
/// The signup apps of `examples/signup-app` against the real program.
mod samples;
/// How often a tenant's document is saved: each save costs a round trip.
mod saves;
/// The published JSON Schemas are those of the types, and what is sent and said keeps to them.
mod schemas;
/// The simulated Azure, driven over HTTP as the product drives it.
mod simulated_azure;
/// One contract that every state store keeps: the model in memory, the local file, Table Storage.
mod state_store;
/// Each kind of step at work: the requests that it makes, and what it reads out of answers.
mod steps;
/// The table of errors: what Azure and Graph answer, what is concluded, and what is kept of it.
mod steps_failures;
/// Long-running operations, in each form that they may be answered in.
mod steps_operations;
/// No secret that a service writes into an answer is kept; and what is none stays as it is.
mod steps_redaction;
/// Traces, metrics and the log: one run is one trace, with no secret in it.
mod telemetry;
/// `verify` from end to end: evidence, reports, exit codes, history.
mod verify;
/// Requests that come as events: all of a delivery is taken in, or it comes again.
mod webhook;
/// What machines of forks do, held against the repository.
mod workflows;

// What they share.
mod testkit;
