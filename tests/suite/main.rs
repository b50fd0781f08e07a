//! The integration tests, as one program. The comment on each module says what the module proves.
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
/// The layers of the crates, checked against the source: which part may use which, which parts are pure, and how large
/// files and functions may get.
mod architecture;
/// The handler under the conditions of the real Functions host: repeated deliveries, dropped bodies, and a time limit
/// for each call.
mod at_home;
/// Bad inputs 1 to 132: how each one is answered, and that it changes nothing.
mod bad_inputs;
/// The program as people, scripts and the Functions host run it: output and exit codes.
mod binary;
/// Faulty blueprints, each with a snapshot of the findings that `tenantry check` prints.
mod blueprint_findings;
/// The comparison of observed with desired values: what is a difference, and what is only another form of the same
/// value.
mod compare;
/// Invalid settings are reported together, each with its name, what is wrong and an example.
mod config;
/// A tenant's requests to Azure, saved rows and events are the same, byte for byte, alone and beside busy tenants with
/// similar ids.
mod differential;
/// The documentation matches the program: links, settings, codes, figures, and the output of the commands that it
/// shows.
mod documentation;
/// The tenant's document as stores hold it: saving and loading loses nothing.
mod documents;
/// Changes made outside tenantry are found, classified, reported once, and corrected where a setting says so.
mod drift;
/// The embedded Functions host, which calls handlers over real HTTP.
mod embedded_host;
/// Scenarios of the engine, each beside its trace.
mod engine;
/// One term for each concept: words that the glossary replaces appear nowhere else.
mod glossary;
/// After a worker has shut down or crashed, another worker continues its work.
mod handover;
/// The protocol between the Functions host and the handler, compared with recorded and derived payloads.
mod host_contract;
/// `host.json`, the `function.json` files and the table of functions agree, and their values are safe.
mod host_files;
/// Every change and every save meets a fault (repeated, lost, unanswered, refused, a crash), and the end state is the
/// same.
mod idempotency;
/// What `infra/` creates, compared with the program: each name is defined once.
mod infra;
/// Answers to requests: all faults together, the same answer for the same request, and what a request changes.
mod intake;
/// The isolation check: every violation is found, no benign change is reported, and a tenant with unreadable evidence
/// is never verified.
mod isolation;
/// One wrong answer at each request of a provisioning run: the tenant still becomes ready, and no token is sent to
/// another host.
mod lies;
/// The lifecycle of tenants in a complete local environment: sign-up, changes, removal, faults.
mod lifecycle;
/// The local state on a disk that fails: every save that was acknowledged is there afterwards, and complete.
mod local_disk;
/// The local message broker in the state file, compared with the guarantees of Service Bus.
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
/// The published JSON Schemas match the types, and what the program sends conforms to them.
mod schemas;
/// The simulated Azure, called over HTTP as the product calls it.
mod simulated_azure;
/// One contract that every state store keeps: the model in memory, the local file, Table Storage.
mod state_store;
/// Each kind of step: the requests that it makes, and what it reads from answers.
mod steps;
/// The table of errors: what Azure and Graph answer, how it is classified, and what is kept of it.
mod steps_failures;
/// Long-running operations, in every form in which Azure reports them.
mod steps_operations;
/// No secret that a service writes into an answer is kept; all other text stays as it is.
mod steps_redaction;
/// Traces, metrics and the log: one run is one trace, with no secret in it.
mod telemetry;
/// `verify` from end to end: evidence, reports, exit codes, history.
mod verify;
/// Requests that arrive as events at the webhook: a delivery is accepted as a whole, or Event Grid delivers it again.
mod webhook;
/// The files for GitHub and CI, compared with the repository.
mod workflows;

// What the tests share.
mod testkit;
