//! `cargo xtask fuzz`: generated inputs, for a given time or number (tests/fuzz).

use std::process::Command;

/// Optimised, but with every check of a debug build, and with the dependencies that the tests have already built.
pub(crate) fn command(arguments: &[String]) -> Command {
    let mut command = crate::cargo(&["test", "--package", "tenantry", "--test", "fuzz", "--", "--long"]);
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "3").args(arguments);
    command
}
