//! The documentation matches the program: its links have a target, its commands, settings, codes, figures and event
//! types exist, and its command lines print what the page shows.

#![expect(clippy::print_stdout, reason = "the test lists what it did not run")]

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

/// The name of a failure class in events and documents.
fn class_name(class: FailureClass) -> &'static str {
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
fn the_names_of_classes_are_those_of_the_program() {
    for class in CLASSES {
        assert_eq!(serde_json::to_value(class).unwrap(), class_name(class));
    }
}
