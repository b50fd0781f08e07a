//! The bad messages of tests/suite/bad_inputs, so that every one of them is measured.

#![expect(clippy::unwrap_used, reason = "written for tests, which fail by panicking")]
#![expect(
    clippy::needless_pass_by_value,
    dead_code,
    reason = "written for tests, which hold what is expected"
)]

#[path = "../../tests/suite/bad_inputs/case.rs"]
mod case;
#[path = "../../tests/suite/bad_inputs/messages/mod.rs"]
mod messages;
#[path = "../../tests/suite/bad_inputs/names.rs"]
mod names;

/// The test harness that the tables need.
mod harness {
    /// The id of a tenant that exists.
    pub(super) const LIVE: &str = "northwind";
}

/// All messages of the tables, each with its number and name.
pub(crate) fn messages() -> impl Iterator<Item = (String, Vec<u8>)> {
    let cases = messages::table().into_iter().chain(names::table());
    cases.map(|case| (format!("{} {}", case.number, case.name), case.body))
}
