//! `cargo xtask bench`: runs the measurements of `benches/load` in the profile `bench`, which is fully optimised.

use std::process::Command;

/// The command for these parts, or for all without any. Cargo builds the measured program in the same profile.
pub(crate) fn command(parts: &[String]) -> Command {
    let mut command = crate::cargo(&["bench", "--package", "tenantry", "--bench", "load", "--"]);
    command.args(parts);
    command
}
