//! `cargo xtask fuzz`: runs the fuzzing in tests/fuzz, for a given time or number of inputs.

use std::process::Command;

/// The command for these arguments. The build is optimised, but has all checks of a debug build, and uses the
/// dependencies that the tests have already built.
pub(crate) fn command(arguments: &[String]) -> Command {
    let mut command = crate::cargo(&["test", "--package", "tenantry", "--test", "fuzz", "--", "--long"]);
    command.env("CARGO_PROFILE_DEV_OPT_LEVEL", "3").args(arguments);
    command
}
