//! The documentation says what is there: its links lead somewhere, its commands, settings, codes, figures and event types
//! are those of the program, and what it shows on a command line happens.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it did not run"
)]

mod common;

#[path = "documentation/codes.rs"]
mod codes;
#[path = "documentation/commands/mod.rs"]
mod commands;
#[path = "documentation/costs.rs"]
mod costs;
#[path = "documentation/figures.rs"]
mod figures;
#[path = "documentation/links.rs"]
mod links;
#[path = "documentation/pages.rs"]
mod pages;
#[path = "documentation/program.rs"]
mod program;
#[path = "documentation/runbooks.rs"]
mod runbooks;
#[path = "documentation/shape.rs"]
mod shape;

use tenantry_core::tenant::FailureClass;

/// Every class of failure; a new one makes `word` not build.
const CLASSES: [FailureClass; 13] = [
    FailureClass::Transient,
    FailureClass::Throttled,
    FailureClass::Ambiguous,
    FailureClass::ReplicationLag,
    FailureClass::Wait,
    FailureClass::NeedsProvider,
    FailureClass::NameHeld,
    FailureClass::Foreign,
    FailureClass::Quota,
    FailureClass::Denied,
    FailureClass::Unknown,
    FailureClass::NeedsConsent,
    FailureClass::Permanent,
];

/// A class of failure as people, events and documents have it.
fn word(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Throttled => "throttled",
        FailureClass::Ambiguous => "ambiguous",
        FailureClass::ReplicationLag => "replication-lag",
        FailureClass::Wait => "wait",
        FailureClass::NeedsProvider => "needs-provider",
        FailureClass::NameHeld => "name-held",
        FailureClass::Foreign => "foreign",
        FailureClass::Quota => "quota",
        FailureClass::Denied => "denied",
        FailureClass::Unknown => "unknown",
        FailureClass::NeedsConsent => "needs-consent",
        FailureClass::Permanent => "permanent",
    }
}

#[test]
fn the_words_of_classes_are_those_of_the_program() {
    for class in CLASSES {
        assert_eq!(serde_json::to_value(class).unwrap(), word(class));
    }
}
