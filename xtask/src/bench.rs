//! `cargo xtask bench`: the measurements of `benches/load`, built as a release.

use std::process::Command;

/// Cargo builds the program and the measurements in one profile, so both are built like a release.
pub(crate) fn command(parts: &[String]) -> Command {
    let mut command = crate::cargo(&["bench", "--package", "tenantry", "--bench", "load", "--"]);
    command.args(parts);
    command
}
