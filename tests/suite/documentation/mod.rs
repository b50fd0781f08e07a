//! The documentation says what is there: its links lead somewhere, its commands, settings, codes, figures and event types
//! are those of the program, and what it shows on a command line happens.

#![expect(clippy::print_stdout, reason = "it says what it did not run")]

mod codes;
mod commands;
mod costs;
mod figures;
mod links;
mod pages;
mod program;
mod runbooks;
mod shape;

use tenantry_core::tenant::FailureClass;

use crate::testkit::CLASSES;

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
